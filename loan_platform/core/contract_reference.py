"""`docs/contract.md`, written from the pydantic models: `python -m loan_platform.core.contract_reference`."""

import sys
import types
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from loan_platform.core.contract import Column, Contract, Feature, Target
from loan_platform.core.policies import (
    Drift,
    Partitions,
    Policies,
    Promotion,
    Quarantine,
    Scorecard,
    Source,
    Split,
    Training,
)

CONTRACT = (Contract, Column, Target, Feature)
POLICIES = (Policies, Source, Quarantine, Split, Training, Scorecard, Promotion, Drift, Partitions)


def reference() -> str:
    """The Markdown page: one table for each section of the two files of a portfolio."""
    parts = [
        "# The two files of a portfolio",
        "Generated from the models in `loan_platform/core` by `make docs`.",
        "Unknown keys are refused. Every mistake is reported with file, line, key path and reason.",
        "## `contract.yaml`",
        *(_section(model) for model in CONTRACT),
        "## `defs.yaml`, below `attributes`",
        *(_section(model) for model in POLICIES),
    ]
    return "\n\n".join(parts) + "\n"


def _section(model: type[BaseModel]) -> str:
    rows = [
        f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {field.description or ''} |"
        for name, field in model.model_fields.items()
    ]
    heading = f"### {model.__name__}\n\n{(model.__doc__ or '').strip()}\n"
    return "\n".join([heading, "| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type(argument) for argument in arguments if argument is not type(None))
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"map of {_type(arguments[1])}"
    return {"str": "text", "float": "number", "int": "integer", "bool": "true or false"}.get(
        annotation.__name__, f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    )


def _default(field: FieldInfo) -> str:
    default: object = field.default
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, BaseModel):
        return "see below"
    if isinstance(default, tuple):
        return ", ".join(f"`{value!r}`" for value in cast("tuple[object, ...]", default))
    return "" if default is None else f"`{default}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
