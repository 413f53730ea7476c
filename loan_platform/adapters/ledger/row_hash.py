"""The hash of a ledger row, which includes the hash of the previous row."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

START_HASH = "0" * 64  # previous hash of the first row
_SHA256 = re.compile("[0-9a-f]{64}")


def find_problem(row: Mapping[str, Any], sequence: int, previous: str) -> str | None:
    """Compare a row with its place in the chain.

    Args:
        row: all columns.
        sequence: number that the row must have.
        previous: hash of the previous row.

    Returns:
        What is wrong; None if nothing is.
    """
    if row["sequence"] != sequence:
        return f"missing, the next row is {row['sequence']}"
    if row["previous_hash"] != previous:
        return "does not have the hash of the previous row"
    content = {key: value for key, value in row.items() if key != "hash"}
    return find_unusable(row) or (None if row_hash(content) == row["hash"] else "its content does not match its hash")


def find_unusable(row: Mapping[str, Any]) -> str | None:
    """What cannot stand in a row, whatever its hash is. Its values become names of folders and versions."""
    if not _SHA256.fullmatch(str(row["model_sha256"])):
        return f"{row['model_sha256']!r} is no SHA-256 of a model"
    numbers = ("epoch", "version", *(["previous_version"] if row["previous_version"] is not None else []))
    for name in numbers:
        if type(row[name]) is not int or row[name] < 0:
            return f"{row[name]!r} is no {name.replace('_', ' ')}"
    return None


def row_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of a row without its own hash."""
    return hashlib.sha256(canonical_json(row).encode()).hexdigest()


def canonical_json(value: Mapping[str, Any]) -> str:
    """JSON with sorted keys and without spaces, so that equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
