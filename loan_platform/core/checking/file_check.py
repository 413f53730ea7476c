"""One YAML file against its pydantic model: every mistake with its line, and what can be made of the file."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.key_paths import Path, path_parts
from loan_platform.core.checking.repair import Repaired, repair
from loan_platform.core.checking.schema_errors import error_items, explained
from loan_platform.core.checking.yaml_file import YamlFile
from loan_platform.core.errors import Issue

M = TypeVar("M", bound=BaseModel)
_LAYERS = 4


@dataclass
class FileCheck(Generic[M]):
    """What a file holds, as far as it can be read.

    Attributes:
        value: the model; None where the file is too wrong to make one.
        issues: in the order of their lines.
        parts: models inside the file whose values are right one by one and do not go together, by path.
        judged: False where names were lost, so that what refers to them cannot be judged.
    """

    file: YamlFile
    value: M | None = None
    issues: list[Issue] = field(default_factory=list[Issue])
    parts: dict[Path, object] = field(default_factory=dict[Path, object])
    judged: bool = True

    def add(self, issues: Iterable[Issue]) -> None:
        """Problems by key path become mistakes with a line; what is known already is left out."""
        self.add_found((path_parts(issue.path), issue) for issue in issues)

    def add_found(self, found: Iterable[tuple[Path, Issue]]) -> None:
        """As `add`, for problems whose path is known part by part."""
        for path, issue in found:
            in_file = self.file.issue(path, issue.message, issue.hint, issue.code)
            if in_file not in self.issues:
                self.issues.append(in_file)
        self.issues.sort(key=lambda issue: issue.line or 0)


def check_file(file: YamlFile, model: type[M]) -> FileCheck[M]:
    """Every mistake of form, and of what the model's validators refuse; nothing is raised.

    The data is read strictly: a number in quotes is no number, as it is for editors that know the schema.
    """
    check = FileCheck[M](file, issues=list(file.issues))
    if not file.readable:
        return check
    try:
        text = json.dumps(file.data)
    except (ValueError, RecursionError):
        check.add([Issue("", "a list or map contains itself", "Remove the alias (`*`).")])
        return check
    try:
        check.value = model.model_validate_json(text, strict=True)
    except ValidationError as error:
        check.add_found(explained(error, model))
        _read_on(check, model, text, error)
    return check


def _read_on(check: FileCheck[M], model: type[M], text: str, error: ValidationError) -> None:
    """Look behind mistakes of form for those that depend on what was meant, one layer at a time."""
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
    """Models that validators refused, by their path."""
    items = ((item["loc"], item.get("ctx", {}).get("error")) for item in error_items(error))
    return {path: inner.model for path, inner in items if isinstance(inner, InconsistentError) and inner.model}
