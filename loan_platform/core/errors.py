"""Errors that are answers."""


class ExplainedError(Exception):
    """Wrong input or a missing predecessor: the message says what happened, where, and what to do next.

    People are shown the message; a traceback would add nothing. Any other exception is a defect.
    """


class NotMaterializedError(ExplainedError, LookupError):
    """An asset was asked for what another asset has not made yet."""
