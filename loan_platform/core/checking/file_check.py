"""Checks one YAML file against its pydantic model: every issue with its line, and the model as far as possible."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.key_paths import Path, path_parts
from loan_platform.core.checking.old_keys import old_key_notes
from loan_platform.core.checking.repair import Repaired, repair
from loan_platform.core.checking.schema_errors import error_items, explained
from loan_platform.core.checking.yaml_file import YamlFile
from loan_platform.core.errors import Issue

M = TypeVar("M", bound=BaseModel)
_LAYERS = 4


@dataclass
class FileCheck(Generic[M]):
    """Result of the check of a file.

    Attributes:
        value: the model; None if the file cannot be read as one.
        issues: every issue, in the order of lines.
        notes: what is no error, such as old names of keys.
        parts: models inside the file, by path, whose values are valid one by one but not together.
        judged: False if names could not be read, so that references to them cannot be checked.
    """

    file: YamlFile
    value: M | None = None
    issues: list[Issue] = field(default_factory=list[Issue])
    notes: tuple[Issue, ...] = ()
    parts: dict[Path, object] = field(default_factory=dict[Path, object])
    judged: bool = True

    def add(self, issues: Iterable[Issue]) -> None:
        """Add issues by key path. They get file and line; an issue that is already there is left out."""
        self.add_found((path_parts(issue.path), issue) for issue in issues)

    def add_found(self, found: Iterable[tuple[Path, Issue]]) -> None:
        """Like `add`, for paths that are given part by part."""
        for path, issue in found:
            in_file = self.file.issue(path, issue.message, issue.hint, issue.code)
            if in_file not in self.issues:
                self.issues.append(in_file)
        self.issues.sort(key=lambda issue: issue.line or 0)


def check_file(file: YamlFile, model: type[M]) -> FileCheck[M]:
    """Every issue of form and of the model's validators. Issues are returned, not raised.

    The data is read strictly: a number in quotes is a text, as the JSON schema says too.
    """
    check = FileCheck[M](file, issues=list(file.issues))
    if not file.readable:
        return check
    text = json.dumps(file.data)
    check.notes = old_key_notes(file, model)
    try:
        check.value = model.model_validate_json(text, strict=True)
    except ValidationError as error:
        check.add_found(explained(error, model))
        _read_on(check, model, text, error)
    return check


def _read_on(check: FileCheck[M], model: type[M], text: str, error: ValidationError) -> None:
    """Repair issues of form, one layer at a time, to find issues that depend on the repaired values."""
    result = Repaired(json.loads(text))
    for _ in range(_LAYERS):
        check.parts |= _inconsistent(error)
        if () in check.parts:
            return
        repair(result, model, error)
        check.judged = not result.names_lost
        if result.names_lost:
            return
        try:
            check.value = model.model_validate_json(json.dumps(result.data), strict=True)
            return
        except ValidationError as deeper:
            error = deeper
            found = [(path, issue) for path, issue in explained(deeper, model) if not result.made_up(path)]
            check.add_found((result.in_file(path), issue) for path, issue in found)


def _inconsistent(error: ValidationError) -> dict[Path, object]:
    """Models that their validators rejected, by path."""
    items = ((item["loc"], item.get("ctx", {}).get("error")) for item in error_items(error))
    return {path: inner.model for path, inner in items if isinstance(inner, InconsistentError) and inner.model}
