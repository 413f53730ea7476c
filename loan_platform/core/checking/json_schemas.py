"""JSON Schemas of a book's two files, for editors: `python -m loan_platform.core.checking.json_schemas` writes them."""

import json
import os
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.portfolio import DefsFile

FOLDER = Path(__file__).parents[2] / "schemas"
MODELS: dict[str, type[BaseModel]] = {"contract": Contract, "defs": DefsFile}
DRAFT = "http://json-schema.org/draft-07/schema#"  # the newest that every YAML editor reads


def schema_text(file: str) -> str:
    """The schema of `contract` or `defs` as it is committed: JSON, keys in the order of the models."""
    schema = {"$schema": DRAFT, **MODELS[file].model_json_schema()}
    return json.dumps(_tidy(schema), indent=1) + "\n"


def schema_path(file: str) -> Path:
    """Where the schema of `contract` or `defs` lies."""
    return FOLDER / f"{file}.schema.json"


def editor_line(file: str, folder: Path) -> str:
    """First line of a `contract` or `defs` file in `folder`, by which editors find its schema; no line end."""
    return f"# yaml-language-server: $schema={Path(os.path.relpath(schema_path(file), folder.resolve())).as_posix()}"


def write_schemas() -> None:
    """Write both schemas."""
    FOLDER.mkdir(exist_ok=True)
    for file in MODELS:
        schema_path(file).write_text(schema_text(file), encoding="utf-8")


def _tidy(node: Any) -> Any:
    """Without the titles that pydantic makes from names (a key called `title` has a schema, not a text), and with
    nothing beside a `$ref`, which draft 7 would ignore.
    """
    if isinstance(node, list):
        return [_tidy(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    parts = cast("dict[str, Any]", node)
    kept = {key: _tidy(value) for key, value in parts.items() if not (key == "title" and isinstance(value, str))}
    if "$ref" in kept and len(kept) > 1:
        kept = {"allOf": [{"$ref": kept.pop("$ref")}], **kept}
    return kept


if __name__ == "__main__":
    write_schemas()
