"""Which of several names a misspelt one was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches


def closest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name that was probably meant, ignoring case; None where the similarity (0 to 1) is below `cutoff`."""
    by_lower = {other.lower(): other for other in names}
    found = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`Did you mean 'x'?`, or an empty text where no name is similar."""
    found = closest(name, names)
    return f"Did you mean {found!r}?" if found else ""
