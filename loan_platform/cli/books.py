"""The folders of the books, by name."""

from pathlib import Path

from loan_platform.core.book.close_names import did_you_mean
from loan_platform.core.checking.book_check import DEFS
from loan_platform.core.errors import ExplainedError

SHIPPED = Path(__file__).parents[1] / "defs"


class UnknownBookError(ExplainedError, LookupError):
    """There is no folder of that name among the books."""


def book_names(folder: Path) -> list[str]:
    """Names of the books in a folder, sorted."""
    return sorted(path.parent.name for path in folder.glob(f"*/{DEFS}"))


def book_folder(name: str, folder: Path = SHIPPED) -> Path:
    """The folder of a book.

    Raises:
        UnknownBookError: there is no such book; the message has the closest.
    """
    if not (folder / name).is_dir():
        known = book_names(folder)
        hint = did_you_mean(name, known) or f"The books are: {', '.join(known) or 'none yet'}."
        raise UnknownBookError(f"{folder} has no book {name!r}. {hint}")
    return folder / name
