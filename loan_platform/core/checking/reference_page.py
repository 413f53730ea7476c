"""`docs/contract.md`, written from the pydantic models: `python -m loan_platform.core.checking.reference_page`."""

import sys
import types
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.portfolio import DefsFile
from loan_platform.core.checking.model_fields import Slot, old_keys, slot_of


def reference() -> str:
    """The Markdown page: one table for each section of the two files of a portfolio."""
    parts = [
        "# The two files of a portfolio",
        "Generated from the models in `loan_platform/core` by `make docs`.",
        "Unknown keys are rejected. `loan-platform check` reports each issue with file, line, key path and a hint. "
        "Editors complete and check the keys with the schemas in `loan_platform/schemas`.",
        "## `contract.yaml`",
        *(_section(model) for model in _models(Contract)),
        "## `defs.yaml`",
        *(_section(model) for model in _models(DefsFile)),
        "## Old names of keys",
        "These keys have a new name. Files with the old name still load, and `loan-platform check` notes it.",
        _old_names(),
    ]
    return "\n\n".join(parts) + "\n"


def _models(root: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and those that its keys hold, each once, a parent before its parts."""
    found = [root]
    for model in found:  # grows meanwhile
        slots = [slot for name in model.model_fields if (slot := slot_of(model, name))]
        inner = [held.model for slot in slots for held in (slot, slot.items) if held and held.model]
        found += [part for part in dict.fromkeys(inner) if part not in found]
    return found


def _section(model: type[BaseModel]) -> str:
    rows = [
        f"| `{name}` | {_type(field.annotation)}{_bounds(field)} | {_default(field)} | {field.description or ''} |"
        for name, field in model.model_fields.items()
    ]
    heading = f"### {model.__name__}\n\n{(model.__doc__ or '').strip()}\n"
    return "\n".join([heading, "| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows])


def _old_names() -> str:
    models = [*_models(Contract), *_models(DefsFile)]
    rows = [f"| {model.__name__} | `{old}` | `{new}` |" for model in models for old, new in old_keys(model).items()]
    return "\n".join(["| section | old name | name |", "| --- | --- | --- |", *rows])


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
    return {"str": "text", "float": "number", "int": "integer", "bool": "true or false", "Any": "anything"}.get(
        annotation.__name__, f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    )


def _bounds(field: FieldInfo) -> str:
    bounds = Slot(field.annotation, field.metadata).bounds
    return ", " + " and ".join(f"{word} {limit:g}" for word, limit in bounds) if bounds else ""


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
