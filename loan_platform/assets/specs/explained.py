"""Errors with an explanation fail a step with their message alone."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from loan_platform.core.errors import ExplainedError


def explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap an asset's function: an explained error fails the step with its message and without a traceback.

    Any other error is a defect and keeps its traceback.
    """
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generate(*arguments: Any, **named: Any) -> Iterator[Any]:
            try:
                yield from function(*arguments, **named)
            except ExplainedError as error:
                raise dg.Failure(str(error), allow_retries=False) from error

        return generate

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except ExplainedError as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    return call
