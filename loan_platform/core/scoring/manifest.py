"""The manifest of a bundle, and JSON that is the same bytes for the same values."""

import hashlib
import json
from typing import Any, NoReturn, cast

from pydantic import Field, ValidationError

from loan_platform.core.book.parts.strict import Strict
from loan_platform.core.errors import ExplainedError

MANIFEST = "manifest.json"
GOLDEN, ANSWERS = "golden.json", "answers.json"
MODEL_PARTS = ("contract.json", "model.json", "calibration.json", "reference.json", "policy.json", GOLDEN)
PARTS = (*MODEL_PARTS, ANSWERS)
FORMAT = 3  # 2: the decision policy; 3: the answers to the golden rows
PARTS_OF_FORMAT = {2: MODEL_PARTS, 3: PARTS}  # the formats that are read
MAX_BYTES = 64_000_000


class BundleError(ExplainedError, ValueError):
    """A bundle that must not be used. The message has the file and the reason."""


class FileEntry(Strict):
    """SHA-256 and size of a file."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_BYTES)


class Manifest(Strict):
    """The list of a bundle's files; `seal` is the SHA-256 of the manifest without it."""

    format: int
    files: dict[str, FileEntry]
    meta: dict[str, Any]
    seal: str


def manifest_bytes(files: dict[str, bytes], meta: dict[str, Any]) -> bytes:
    """The manifest of these files.

    Raises:
        BundleError: `meta` is not JSON.
    """
    entries = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in files.items()}
    manifest = {"format": FORMAT, "files": entries, "meta": meta}
    return encode(MANIFEST, {**manifest, "seal": sha256(encode(MANIFEST, manifest))})


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest from its bytes.

    Raises:
        BundleError: the bytes are not those of `manifest_bytes`, or format or files differ.
    """
    try:
        manifest = Manifest.model_validate(decode(MANIFEST, data))
    except ValidationError as error:
        reject(MANIFEST, first_issue(error))
    if manifest.format not in PARTS_OF_FORMAT:
        known = " and ".join(map(str, PARTS_OF_FORMAT))
        reject(MANIFEST, f"format {manifest.format}, this version reads {known}: train and promote again")
    values = manifest.model_dump(mode="json")
    if encode(MANIFEST, values) != data or sha256(encode(MANIFEST, _unsealed(values))) != manifest.seal:
        reject(MANIFEST, "its seal is broken")
    if set(manifest.files) != set(PARTS_OF_FORMAT[manifest.format]):
        reject(MANIFEST, "lists other files than a bundle has")
    return manifest


def encode(name: str, value: Any) -> bytes:
    """JSON with sorted keys and each number in its shortest exact form.

    Raises:
        BundleError: a value is not JSON, such as a NaN.
    """
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{name}: holds a value that JSON has not: {error}") from error
    return text.encode("ascii")


def decode(name: str, data: bytes) -> dict[str, Any]:
    """Read a JSON object from its bytes.

    Raises:
        BundleError: not JSON, or not an object.
    """

    def no_constant(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(data, parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        reject(name, f"not JSON: {error}")
    if not isinstance(value, dict):
        reject(name, "not a JSON object")
    return cast("dict[str, Any]", value)


def sha256(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def first_issue(error: Exception) -> str:
    """Place and reason of an error, without the value."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def reject(name: str, reason: str) -> NoReturn:
    """Raise BundleError for a file."""
    raise BundleError(f"{name}: {reason}")


def _unsealed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "seal"}
