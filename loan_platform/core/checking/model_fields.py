"""The field, type and accepted values of a key, read from the pydantic models."""

import types
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from loan_platform.core.book.key_paths import Path

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


class Slot:
    """The type of one value of a YAML file, with its constraints.

    Attributes:
        type: without `Annotated` and without None.
        constraints: what `Annotated` and `Field` say about it.
        field: the field of the model that holds it, None for an item of a list or map.
    """

    def __init__(self, annotation: Any, constraints: Sequence[Any] = (), field: FieldInfo | None = None) -> None:
        self.constraints: list[Any] = list(constraints)
        self.field = field
        while get_origin(annotation) in (Annotated, Union, types.UnionType):
            first, *more = get_args(annotation)
            if get_origin(annotation) is Annotated:
                self.constraints += more
                annotation = first
            else:
                stated = [argument for argument in (first, *more) if argument is not type(None)]
                annotation = stated[0]
        self.type = annotation

    @property
    def model(self) -> type[BaseModel] | None:
        """The model whose keys the value has, where it is a map with fixed keys."""
        if isinstance(self.type, type) and issubclass(self.type, BaseModel):
            return self.type
        return None

    @property
    def items(self) -> "Slot | None":
        """What each item of a list or map is."""
        origin, arguments = get_origin(self.type), get_args(self.type)
        if origin in (tuple, list):
            return Slot(arguments[0])
        return Slot(arguments[1]) if origin is dict else None

    @property
    def literals(self) -> tuple[str, ...]:
        """Values that are accepted, where they are listed."""
        return tuple(str(value) for value in get_args(self.type)) if get_origin(self.type) is Literal else ()

    @property
    def pattern(self) -> str | None:
        """The pattern of a text."""
        found = (getattr(constraint, "pattern", None) for constraint in self.constraints)
        return next((str(getattr(pattern, "pattern", pattern)) for pattern in found if pattern), None)

    @property
    def bounds(self) -> tuple[tuple[str, float], ...]:
        """Limits of a number, as words (`BOUNDS`) and value."""
        limits = ((word, getattr(c, name, None)) for c in self._flat() for name, word in BOUNDS.items())
        return tuple((word, limit) for word, limit in limits if isinstance(limit, int | float))

    def _flat(self) -> list[Any]:
        """Constraints, with those of an inner `Field` spelled out."""
        return [c for given in self.constraints for c in (given.metadata if isinstance(given, FieldInfo) else [given])]


def old_keys(model: type[BaseModel]) -> dict[str, str]:
    """Old names of a model's keys, each with the name of today."""
    aliases = ((name, field.validation_alias) for name, field in model.model_fields.items())
    choices = ((name, alias.choices) for name, alias in aliases if isinstance(alias, AliasChoices))
    return {str(old): name for name, names in choices for old in names if old != name}


def slot_of(model: type[BaseModel], key: str) -> Slot | None:
    """The slot of a model's key, by its name of today or an old one; None where it has no such key."""
    field = model.model_fields.get(old_keys(model).get(key, key))
    return None if field is None else Slot(field.annotation, field.metadata, field)


def slot_at(model: type[BaseModel], path: Path) -> Slot | None:
    """The slot at a path; None where the models know no such place."""
    slot: Slot | None = Slot(model)
    for part in path:
        if slot is None:
            return None
        slot = slot_of(slot.model, str(part)) if slot.model else slot.items
    return slot


def format_keys(model: type[BaseModel]) -> str:
    """The keys of a model for people, required ones marked."""
    fields = model.model_fields
    return ", ".join(f"{name} (required)" if field.is_required() else name for name, field in fields.items())
