"""The error for a file from which no book can be drafted."""

from loan_platform.core.errors import ExplainedError


class DraftError(ExplainedError, ValueError):
    """No book can be drafted from this file, target, key or name. The message says what to do next."""
