"""Mistakes that people make in the two files of a book, and how they are told."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from loan_platform.core.errors import ExplainedError


class Problem(NamedTuple):
    """One mistake inside a model: where (key path), what and why, and how to mend it."""

    path: str
    reason: str
    mend: str = ""


class InconsistentError(ValueError):
    """Values that are right one by one do not go together; a validator raises it with every problem.

    `model` is what was validated, for checks that go on from there.
    """

    def __init__(self, problems: Iterable[Problem], model: object = None) -> None:
        self.problems = tuple(problems)
        self.model = model
        super().__init__("\n".join(f"{path}: {reason}" for path, reason, _ in self.problems))


@dataclass(frozen=True)
class Mistake:
    """One mistake in a file of a book.

    Attributes:
        file: the file.
        line: from 1; None where the file has no line to show.
        path: key path such as `columns[3].sql`; empty for the file as a whole.
        what: what is wrong and, where it is not plain, why it matters; no full stop at its end.
        mend: what to do, a whole sentence.
    """

    file: Path
    line: int | None
    path: str
    what: str
    mend: str

    def __str__(self) -> str:
        """`file:line: key path: what. How to mend.` on one line."""
        place = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        told = f"{place}: {self.path}: {self.what}" if self.path else f"{place}: {self.what}"
        return " ".join(f"{told}. {self.mend}".split())


class ContractError(ExplainedError, ValueError):
    """The files of a book cannot be used; the message has every mistake, one on each line."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def closest(name: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The name that was probably meant, without regard to case; None where the likeness (0 to 1) is below `cutoff`."""
    by_lower = {other.lower(): other for other in names}
    found = get_close_matches(name.lower(), list(by_lower), n=1, cutoff=cutoff)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """`Did you mean 'x'?` or nothing."""
    found = closest(name, names)
    return f"Did you mean {found!r}?" if found else ""
