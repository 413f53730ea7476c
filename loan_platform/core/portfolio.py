"""One loan book: its name, contract and policies."""

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self, cast

import yaml
from pydantic import ValidationError, model_validator

from loan_platform.core.contract import Contract, Name
from loan_platform.core.errors import ExplainedError
from loan_platform.core.policies import Policies


class ContractError(ExplainedError, ValueError):
    """A contract file cannot be used; the message names file, line, key path and reason of every mistake."""


class Portfolio(Policies):
    """Everything the platform knows about one loan book."""

    name: Name
    contract: Contract

    @model_validator(mode="after")
    def _dates_where_needed(self) -> Self:
        if self.contract.event_date is None:
            if self.split.kind != "hash":
                raise ValueError("split.kind: the contract has no event_date, so the split must be 'hash'")
            if self.partitions.every != "none":
                raise ValueError("partitions.every: the contract has no event_date, so it must be 'none'")
        return self

    @model_validator(mode="after")
    def _sources_known(self) -> Self:
        tables = {table.name for table in self.contract.tables} or {"loans"}
        known = tables | {"applications", "outcomes"}
        if missing := sorted(tables - set(self.sources)):
            raise ValueError(f"sources: there is no source {', '.join(map(repr, missing))}")
        for name in sorted(set(self.sources) - known):
            close = get_close_matches(name, sorted(known), n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"sources.{name}: is none of {', '.join(sorted(known))}{hint}")
        return self


def load_contract(path: Path) -> Contract:
    """Read a contract file.

    Raises:
        ContractError: with every mistake found, one per line, as `file:line: key path: reason`.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = yaml.safe_load(text)
        root = cast("yaml.Node | None", yaml.compose(text))  # pyright: ignore[reportUnknownMemberType]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ContractError(f"{path}: cannot be read as YAML: {error}") from error
    try:
        return Contract.model_validate(data)
    except ValidationError as error:
        lines = [f"{path}:{_line(root, key)}: {key}: {why}" for key, why in _mistakes(error)]
        raise ContractError("\n".join(lines)) from error


def _mistakes(error: ValidationError) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for item in error.errors(include_url=False, include_input=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
        if path:
            found.append((path, item["msg"]))
        else:
            message = item["msg"].removeprefix("Value error, ")
            found += [(key, why) for key, _, why in (line.partition(": ") for line in message.splitlines())]
    return found


def _line(node: Any, path: str) -> int:
    """Line (from 1) of the deepest node of a YAML document that exists on the key path."""
    for index, key in re.findall(r"\[(\d+)\]|([^.\[\]]+)", path):
        if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            node = node.value[int(index)]
        elif key and isinstance(node, yaml.MappingNode):
            node = next((value for name, value in node.value if name.value == key), node)
    return node.start_mark.line + 1 if node is not None else 1
