"""Repairs the data of a file to what was probably meant, so that one issue does not hide others."""

import operator
import re
from dataclasses import dataclass, field
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from loan_platform.core.book.close_names import closest
from loan_platform.core.book.key_paths import Path, path_text
from loan_platform.core.checking.model_fields import BOUNDS, Slot, old_keys, slot_at
from loan_platform.core.checking.schema_errors import error_items

_TEXTS = ("placeholder", "2000-01", "a")
_NUMBERS = (1, 0.5, 100, 1000, 0)


@dataclass
class Repaired:
    """Data without issues of form.

    Attributes:
        guessed: paths with a made-up value. Issues found there are not reported.
        names_lost: a column, a feature or a whole list was made up. References to it cannot be checked.
        renamed: for each misspelt key, the path that was meant and the path in the file.
    """

    data: Any
    guessed: list[Path] = field(default_factory=list[Path])
    names_lost: bool = False
    renamed: dict[Path, Path] = field(default_factory=dict[Path, Path])

    def made_up(self, path: Path) -> bool:
        """Whether the value at a path, or one beside it in the same list item, was made up."""
        owners = [guess[:-1] if len(guess) > 1 and isinstance(guess[-2], int) else guess for guess in self.guessed]
        return any(path[: len(owner)] == owner for owner in owners)

    def in_file(self, path: Path) -> Path:
        """The path as the file spells it."""
        known = next((meant for meant in self.renamed if path[: len(meant)] == meant), None)
        return path if known is None else (*self.renamed[known], *path[len(known) :])


def repair(result: Repaired, model: type[BaseModel], error: ValidationError) -> None:
    """Correct misspelt keys and values, and put placeholders for missing ones.

    Args:
        result: the data that was validated. It is changed in place.
        model: the model of the whole file.
        error: the validation error of this data.
    """
    items: list[tuple[Path, str]] = [(item["loc"], item["type"]) for item in error_items(error)]
    for path, kind in items:
        if kind == "extra_forbidden":
            _rename(result, path, slot_at(model, path[:-1]))
    for path, kind in items:
        if kind != "extra_forbidden":
            _replace(result, path, kind, slot_at(model, path))


def _rename(result: Repaired, path: Path, owner: Slot | None) -> None:
    parent = _at(result.data, path[:-1])
    if parent is None:
        return
    value = parent.pop(path[-1], None)
    names = owner.model.model_fields if owner and owner.model else {}
    old = old_keys(owner.model) if owner and owner.model else {}
    found = closest(str(path[-1]), [*names, *old])
    meant = old.get(found, found) if found else None
    if meant and meant not in parent:
        parent[meant] = value
        result.renamed[(*path[:-1], meant)] = path


def _replace(result: Repaired, path: Path, kind: str, slot: Slot | None) -> None:
    if not path:
        return
    parent, key = _at(result.data, path[:-1]), path[-1]
    value = _at(result.data, path)
    if slot is None or parent is None or (kind == "missing" and value is not None):  # a misspelt key was it
        return
    meant = closest(value, slot.literals) if isinstance(value, str) and slot.literals else None
    if meant is None:
        result.guessed.append(path)
        if slot.field is not None and not slot.field.is_required():
            parent.pop(key, None)
            return
        result.names_lost |= key == "name" or slot.model is not None or bool(slot.items and slot.items.model)
    parent[key] = meant or _placeholder(slot, path)


def _at(data: Any, path: Path) -> Any:
    for part in path:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _placeholder(slot: Slot, path: Path) -> Any:
    if slot.literals:
        return slot.literals[0]
    if slot.model:
        fields = [
            (name, slot_at(slot.model, (name,))) for name, f in slot.model.model_fields.items() if f.is_required()
        ]
        return {name: _placeholder(inner, (*path, name)) for name, inner in fields if inner}
    if slot.items:
        item = _placeholder(slot.items, (*path, 0))
        return {"placeholder": item} if get_origin(slot.type) is dict else [item]
    if slot.type is str:
        unique = "placeholder_" + re.sub(r"\W+", "_", path_text(path)).strip("_").lower()
        texts = [unique, *_TEXTS] if path[-1] == "name" else list(_TEXTS)
        return next((text for text in texts if re.search(slot.pattern or "", text)), "placeholder")
    if slot.type in (int, float):
        return next((number for number in _NUMBERS if _inside(slot, number)), 1)
    return False if slot.type is bool else None


def _inside(slot: Slot, number: float) -> bool:
    tests = {BOUNDS["ge"]: operator.ge, BOUNDS["gt"]: operator.gt, BOUNDS["le"]: operator.le, BOUNDS["lt"]: operator.lt}
    return (slot.type is float or number == int(number)) and all(tests[w](number, limit) for w, limit in slot.bounds)
