"""What files and requests get wrong, and the errors that people are shown."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Issue(NamedTuple):
    """One thing that a file or a request gets wrong.

    Attributes:
        path: key path such as `columns[3].sql`, or the name of a field; empty for the file or request as a whole.
        message: what is wrong, without a full stop at the end.
        hint: what to do about it, in whole sentences.
        code: stable name of the kind of issue, for programs.
        file: the file; None for a request.
        line: line of the file, from 1; None where no line can be shown.
        rule: name of the row rule that is broken; empty for other issues.
    """

    path: str
    message: str
    hint: str = ""
    code: str = ""
    file: Path | None = None
    line: int | None = None
    rule: str = ""

    @property
    def detail(self) -> str:
        """Message and hint, without the place."""
        return f"{self.message}. {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        """`file:line: key path: message. Hint.` on one line; absent parts are left out."""
        place = f"{self.file}:" if self.file else ""
        place += f"{self.line}:" if place and self.line is not None else ""
        told = f"{self.path}: {self.message}." if self.path else f"{self.message}."
        return " ".join(f"{place} {told} {self.hint}".split())


def format_issues(issues: Iterable[Issue]) -> str:
    """Issues as text, one on each line."""
    return "\n".join(str(issue) for issue in issues)


class ExplainedError(Exception):
    """Wrong input or a missing predecessor: the message says what happened, where, and what to do next.

    People are shown the message, without a traceback. Any other exception is a defect of the platform.
    """


class NotMaterializedError(ExplainedError, LookupError):
    """An asset needs the result of another asset, which has not been materialized yet."""


class SourceError(ExplainedError, ValueError):
    """A source cannot be read at all.

    Attributes:
        file: the file.
        message: what is wrong with it.
        hint: what to do next.
    """

    def __init__(self, file: str, message: str, hint: str) -> None:
        super().__init__(f"{file}: {message}. {hint}")
        self.file = file
        self.message = message
        self.hint = hint
