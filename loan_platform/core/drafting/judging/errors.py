"""Why a file cannot be drafted."""

from loan_platform.core.errors import ExplainedError


class DraftError(ExplainedError, ValueError):
    """A file, target, key or name from which no book can be drafted; with what to do next."""
