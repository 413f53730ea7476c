"""Errors of the two files of a book, each with all its issues."""

from collections.abc import Iterable

from loan_platform.core.errors import ExplainedError, Issue, format_issues


class InconsistentError(ValueError):
    """Values that are valid one by one do not fit together. A validator raises it with every issue.

    Attributes:
        issues: their paths are relative to the model that the validator looks at.
        model: the model that was validated, for checks that go on from there.
    """

    def __init__(self, issues: Iterable[Issue], model: object = None) -> None:
        self.issues = tuple(issues)
        self.model = model
        super().__init__("\n".join(f"{issue.path}: {issue.message}" for issue in self.issues))


class ContractError(ExplainedError, ValueError):
    """The files of a book cannot be used. The message has every issue, one on each line."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self.issues = tuple(issues)
        super().__init__(format_issues(self.issues))
