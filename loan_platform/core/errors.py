"""Errors that are answers."""


class ExplainedError(Exception):
    """Wrong input or a missing predecessor: the message says what happened, where, and what to do next.

    People are shown the message; a traceback would add nothing. Any other exception is a defect.
    """


class NotMaterializedError(ExplainedError, LookupError):
    """An asset was asked for what another asset has not made yet."""


class SourceError(ExplainedError, ValueError):
    """A source cannot be read as a whole; the message says which file, what is wrong and what to do next."""

    def __init__(self, file: str, problem: str, remedy: str) -> None:
        super().__init__(f"{file}: {problem}. {remedy}")
        self.file = file
        self.problem = problem
        self.remedy = remedy
