"""Turns the errors of pydantic into issues with a message and a hint."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.close_names import closest, did_you_mean
from loan_platform.core.book.key_paths import Path, path_parts, path_text
from loan_platform.core.checking.model_fields import Slot, format_keys, old_keys, slot_at, slot_of
from loan_platform.core.errors import Issue

_NOUNS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a map of keys",
    "model_type": "a map of keys",
    "model_attributes_type": "a map of keys",
}
_PATTERNS = {
    r"^[a-z][a-z0-9_]{0,62}$": (
        "a name",
        "Use small letters, digits and underscores, a letter first, at most 63 characters.",
    ),
    r"^\d{4}-(0[1-9]|1[0-2])$": ("a month", "Write it as year and month, such as 2015-06."),
}
_INNER = re.compile(r"[\w.\[\]]+: ")


def explained(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Path, Issue]]:
    """Every issue with its path, in the order of the model's keys."""
    for item in error_items(error):
        path: Path = item["loc"]
        inner = item.get("ctx", {}).get("error")
        if isinstance(inner, InconsistentError):
            yield from (_below(path, issue) for issue in inner.issues)
        elif item["type"] == "value_error":
            for line in str(item["msg"]).removeprefix("Value error, ").splitlines():
                key, colon, message = line.partition(": ") if _INNER.match(line) else ("", "", line)
                yield _below(path, Issue(key, message if colon else line))
        else:
            code, message, hint = _explain(item, slot_at(model, path), slot_at(model, path[:-1]))
            yield path, Issue(path_text(path), message, hint, code)


def error_items(error: ValidationError) -> list[dict[str, Any]]:
    """Errors of pydantic, without those that only follow from another.

    A list with invalid items is also reported as too short, and a misspelt key also as missing.
    """
    items = [cast("dict[str, Any]", item) for item in error.errors(include_url=False)]
    paths: list[Path] = [item["loc"] for item in items]
    unknown: list[Path] = [item["loc"] for item in items if item["type"] == "extra_forbidden"]

    def follows(item: dict[str, Any]) -> bool:
        where: Path = item["loc"]
        if item["type"] == "missing":
            return any(path[:-1] == where[:-1] and closest(str(path[-1]), [str(where[-1])]) for path in unknown)
        return item["type"] == "too_short" and any(len(p) > len(where) and p[: len(where)] == where for p in paths)

    return [item for item in items if not follows(item)]


def _format_value(value: object) -> str:
    """A value of a YAML file as text, shortened."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {value if len(value) <= 60 else value[:57] + '...'!r}"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a map of keys" if isinstance(value, Mapping) else "a list"


def _below(path: Path, issue: Issue) -> tuple[Path, Issue]:
    whole = (*path, *path_parts(issue.path))
    return whole, issue._replace(path=path_text(whole))


def _explain(item: dict[str, Any], slot: Slot | None, owner: Slot | None) -> tuple[str, str, str]:
    """Code, message and hint."""
    kind = str(item["type"])
    if kind == "extra_forbidden" and owner and owner.model:
        key = str(item["loc"][-1])
        if new := old_keys(owner.model).get(key):  # pydantic has read the new key
            return "old_and_new_key", f"is the old name of {new!r}, and both are given", "Remove the old one."
        return "unknown_key", "is not a key here", _meant(key, owner.model)
    if kind == "missing":
        meaning = slot.field.description if slot and slot.field and slot.field.description else ""
        return "missing_key", "is missing", f"Add it. Its meaning: {meaning}" if meaning else "Add it."
    message, hint = _wrong_value(kind, item["input"], slot) or (str(item["msg"]).lower(), "Correct it.")
    return "wrong_value", message, hint


def _wrong_value(kind: str, value: object, slot: Slot | None) -> tuple[str, str] | None:
    if slot and slot.literals:
        return _literal(value, slot)
    if kind in _NOUNS:
        return f"is {_format_value(value)}, not {_NOUNS[kind]}", _retyped(kind, value, slot)
    if kind in ("too_short", "string_too_short"):
        return "is empty", "Write at least one." if kind == "too_short" else "Write a text."
    if kind == "string_pattern_mismatch" and slot and slot.pattern:
        noun, hint = _PATTERNS.get(slot.pattern, (f"of the form {slot.pattern}", "Correct it."))
        return f"{value!r} is not {noun}", hint
    if slot and slot.bounds:
        return f"{_format_value(value)} is out of range".removeprefix("the number "), _range(value, slot)
    return None


def _meant(key: str, model: type[BaseModel]) -> str:
    old = old_keys(model)
    if found := closest(key, [*model.model_fields, *old]):
        return f"Did you mean {old.get(found, found)!r}?"
    for name in model.model_fields:
        slot = slot_of(model, name)
        inner = slot.model if slot else None
        if inner and key in inner.model_fields:
            return f"It is a key of {name!r}: put it there."
    return f"Accepted keys: {format_keys(model)}."


def _literal(value: object, slot: Slot) -> tuple[str, str]:
    accepted = f"Accepted: {', '.join(slot.literals)}."
    if value is None and "null" in slot.literals:
        return 'is null without quotes, which to YAML is nothing, not "null"', f'Write "null" in quotes. {accepted}'
    meant = did_you_mean(value, slot.literals) if isinstance(value, str) else ""
    return f"{_format_value(value)} is not accepted", f"{meant} {accepted}".strip()


def _retyped(kind: str, value: object, slot: Slot | None) -> str:
    if kind == "string_type":
        if isinstance(value, bool):
            return "YAML reads yes, no, on and off as true and false: put the text in quotes."
        return "Put it in quotes." if isinstance(value, int | float) else "Write a text."
    if kind in ("int_type", "float_type", "int_from_float"):
        return _as_number(kind, value)
    if kind == "bool_type":
        return "Write true or false, without quotes."
    if kind in ("tuple_type", "list_type"):
        return "Begin each item on a line of its own with `- `, or write [first, second]."
    keys = f": {format_keys(slot.model)}" if slot and slot.model else ""
    return f"Write its keys below it, one on each line and indented{keys}."


def _as_number(kind: str, value: object) -> str:
    if isinstance(value, str):
        if re.fullmatch(r"[-+]?\d+(\.\d+)?[eE][-+]?\d+", value):
            return "Without a point and a sign YAML takes it for text: write it out, such as 100000."
        try:
            float(value)
        except ValueError:
            return "Write digits and a point only: no %, no unit, no thousands separator."
        return "Remove the quotes."
    return "Write a whole number, such as 5." if kind != "float_type" else "Write a number, such as 0.5."


def _range(value: object, slot: Slot) -> str:
    limits = " and ".join(f"{word} {limit:g}" for word, limit in slot.bounds)
    hint = f"Accepted is {limits}."
    if {limit for _, limit in slot.bounds} == {0, 1} and isinstance(value, int | float) and 1 < value <= 100:
        hint += f" {value:g} % is {value / 100:g}."
    return hint
