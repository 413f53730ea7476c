"""Findings about a book's sources: issues that make a job fail, and notes."""

from dataclasses import dataclass, field

from loan_platform.core.errors import Issue


@dataclass
class Findings:
    """What a check found.

    Attributes:
        issues: a job with this book would fail.
        notes: values may be missing by mistake, or a source was not checked.
        files: source and name of each file that was checked.
    """

    issues: list[Issue] = field(default_factory=list[Issue])
    notes: list[Issue] = field(default_factory=list[Issue])
    files: list[str] = field(default_factory=list[str])
