"""Keys of a YAML file that have a new name: they still load, and the check says once what to rename."""

from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel

from loan_platform.core.book.key_paths import Path
from loan_platform.core.checking.model_fields import Slot, old_keys, slot_of
from loan_platform.core.checking.yaml_file import YamlFile
from loan_platform.core.errors import Issue

CODE = "old_key"


def old_key_notes(file: YamlFile, model: type[BaseModel]) -> tuple[Issue, ...]:
    """One note at the first old key of a file, with all of them; none where each key has its name of today."""
    found = list(_old_keys(file.data, Slot(model), ()))
    if not found:
        return ()
    first = min((path for path, _ in found), key=file.line)
    names = dict.fromkeys((str(path[-1]), new) for path, new in found)
    renamed = ", ".join(f"{old} is now {new}" for old, new in names)
    hint = "Rename them. Old names still load."
    return (file.issue(first, f"uses old names of keys: {renamed}", hint, CODE),)


def _old_keys(value: Any, slot: Slot | None, path: Path) -> Iterator[tuple[Path, str]]:
    """Path of each old key in a value, and its new name; a key that is given under both names is left out."""
    if slot is None:
        return
    if isinstance(value, dict):
        old = old_keys(slot.model) if slot.model else {}
        for key, inner in cast("dict[Any, Any]", value).items():
            if key in old and old[key] not in value:
                yield (*path, key), old[key]
            yield from _old_keys(inner, slot_of(slot.model, str(key)) if slot.model else slot.items, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(cast("list[Any]", value)):
            yield from _old_keys(inner, slot.items, (*path, i))
