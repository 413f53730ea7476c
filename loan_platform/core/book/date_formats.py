"""What may stand in a column's `date_format`: strptime codes, or the name of another form."""

import re

SPECIFIERS = "dmYybBHIMSfp"

EXCEL_DAYS = r"^\s*([0-9]{2,6})([.,][0-9]*)?\s*$"
# 2021Q1, 2021-Q1; then Q1 2021, 1Q2021
YEAR_QUARTER = (
    r"^\s*(?:([12][0-9]{3})[-_/. ]?[Qq]([1-4])"
    r"|(?:[Qq]([1-4])|([1-4])[Qq])[-_/. ]?([12][0-9]{3}))\s*$"
)
ISO_WEEK = r"^\s*([12][0-9]{3})-?[Ww]([0-9]{1,2})(-?([1-7]))?\s*$"
NAMED_FORMATS = {"excel_days": EXCEL_DAYS, "year_quarter": YEAR_QUARTER, "iso_week": ISO_WEEK}
# A time of day, a fraction and an offset may follow the day.
ISO_TIME = (
    r"^\s*([12][0-9]{3}-[0-9]{2}-[0-9]{2})[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
    r" ?([Zz]|UTC|[+-][0-9]{2}(:?[0-9]{2})?)?\s*$"
)


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
