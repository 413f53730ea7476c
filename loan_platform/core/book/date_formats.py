"""What may stand in a column's `date_format`: strptime codes, or the name of another form."""

import re

SPECIFIERS = "dmYybBHIMSfp"
FORMAT_HINT = "Write it as in %d.%m.%Y."

EXCEL_DAYS = r"^\s*([0-9]{2,6})(\.[0-9]*)?\s*$"  # `73,051` may separate thousands
# 2021Q1, 2021-Q1; then Q1 2021, 1Q2021
YEAR_QUARTER = (
    r"^\s*(?:([12][0-9]{3})[-_/. ]?[Qq]([1-4])"
    r"|(?:[Qq]([1-4])|([1-4])[Qq])[-_/. ]?([12][0-9]{3}))\s*$"
)
ISO_WEEK = r"^\s*([12][0-9]{3})-?[Ww]([0-9]{1,2})(-?([1-7]))?\s*$"
NAMED_FORMATS = {
    "excel_days": EXCEL_DAYS,
    "excel_days_1904": EXCEL_DAYS,  # of workbooks from old Macs
    "year_quarter": YEAR_QUARTER,
    "iso_week": ISO_WEEK,
}
_HOUR, _SIXTY = "(?:[01][0-9]|2[0-3])", "[0-5][0-9]"
# A time of day, a fraction and an offset may follow the day.
ISO_TIME = (
    rf"^\s*([12][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}})[Tt ]{_HOUR}:{_SIXTY}(:(?:{_SIXTY}|60)([.,][0-9]{{1,9}})?)?"
    rf" ?([Zz]|UTC|[+-]{_HOUR}(:?{_SIXTY})?)?\s*$"
)
_CODE = re.compile(r"%(.)", re.DOTALL)
_JOINED = re.compile(r"(?<!%)(?:%[dmyYHIMS]){2,}")  # numbers that nothing separates


def format_issue(text: str) -> str | None:
    """Why a format names no date, or None."""
    if text in NAMED_FORMATS:
        return None
    found = re.findall("%(.?)", text.replace("%%", ""))
    if unknown := next((f"%{letter}" for letter in found if not letter or letter not in SPECIFIERS), None):
        return f"{unknown} is no part of a date. The parts are {', '.join('%' + letter for letter in SPECIFIERS)}"
    if not {"Y", "y"} & set(found) or not {"m", "b", "B"} & set(found):
        return (
            f"{text!r} needs a year (%Y or %y) and a month (%m, %b or %B), as in '%d.%m.%Y'. "
            f"It may also be {', '.join(NAMED_FORMATS)}"
        )
    return None


def with_century(form: str) -> str:
    """A format with `%Y` for each `%y`."""
    return _CODE.sub(lambda code: "%Y" if code[1] == "y" else code[0], form)


def all_digits(form: str) -> str | None:
    """Pattern of texts with all digits of the numbers that nothing separates; None if there are no such numbers.

    In `%Y%m` a year and a month have six digits: `20211` is not January.
    """
    runs = [2 * run.count("%") + 2 * run.count("%Y") for run in _JOINED.findall(form)]
    numbers = "[^0-9](?:.*[^0-9])?".join(f"[0-9]{{{digits}}}" for digits in runs)
    return f"^(?:.*[^0-9])?{numbers}(?:[^0-9].*)?$" if runs else None
