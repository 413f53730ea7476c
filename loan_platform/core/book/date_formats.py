"""What may stand in a column's `date_format`."""

import re

SPECIFIERS = "dmYybBHIMSfp"


def format_issue(text: str) -> str | None:
    """Why a format names no date, or None."""
    found = re.findall("%(.?)", text.replace("%%", ""))
    if unknown := next((f"%{letter}" for letter in found if not letter or letter not in SPECIFIERS), None):
        return f"{unknown} is no part of a date. The parts are {', '.join('%' + letter for letter in SPECIFIERS)}"
    if not {"Y", "y"} & set(found) or not {"m", "b", "B"} & set(found):
        return f"{text!r} needs a year (%Y or %y) and a month (%m, %b or %B), as in '%d.%m.%Y'"
    return None
