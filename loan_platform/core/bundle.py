"""The model bundle: a directory of JSON that is verified completely before anything in it is used.

Same model, same bytes: keys are sorted, numbers are written in their shortest exact form, no clock is read.
"""

import hashlib
import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, cast

import polars as pl
from pydantic import Field, ValidationError

from loan_platform.core.calibration import calibration_from_json
from loan_platform.core.candidates import model_from_json
from loan_platform.core.contract import Contract, Strict
from loan_platform.core.design import Design, DesignColumn
from loan_platform.core.features import FeatureError
from loan_platform.core.golden import GoldenRows, golden_rows
from loan_platform.core.policies import Scorecard
from loan_platform.core.scoring import ScoringModel

FORMAT = 1
MANIFEST = "manifest.json"
PARTS = ("contract.json", "model.json", "calibration.json", "reference.json", "policy.json", "golden.json")
MAX_BYTES = 64_000_000


class BundleError(ValueError):
    """A bundle that must not be used; names the file and the reason."""


class FileEntry(Strict):
    """What the manifest says of a file."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_BYTES)


class Manifest(Strict):
    """The list of a bundle's files; `seal` is the SHA-256 of the manifest without it."""

    format: int
    files: dict[str, FileEntry]
    meta: dict[str, Any]
    seal: str


class Policy(Strict):
    """How the model's probability is turned into an answer."""

    scorecard: Scorecard


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: the model, ready to score, and what came with it."""

    model: ScoringModel
    reference: dict[str, Any]
    meta: dict[str, Any]
    golden: GoldenRows
    sha256: str


def write_bundle(
    directory: Path, model: ScoringModel, reference: dict[str, Any], golden_frame: pl.DataFrame, meta: dict[str, Any]
) -> str:
    """Write a bundle into an empty or new directory, the manifest last.

    Whoever publishes the directory writes it under a temporary name and renames it.

    Args:
        directory: where to write.
        model: what is bundled.
        reference: JSON values that monitoring needs back, the bundle does not read them.
        golden_frame: at least 32 rows of typed columns; a row of nothing but nulls and one of unknown categories
            are added.
        meta: JSON values for people and for the registry; no wall clock, or the bytes change with it.

    Returns:
        The bundle's SHA-256: that of its manifest.

    Raises:
        BundleError: the directory holds something, or a value is not JSON (a NaN, for one).
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise BundleError(f"{directory}: a bundle is written into an empty directory")
    files = bundle_files(model, reference, golden_frame, meta)
    for name in (*PARTS, MANIFEST):
        (directory / name).write_bytes(files[name])
    return hashlib.sha256(files[MANIFEST]).hexdigest()


def bundle_files(
    model: ScoringModel, reference: dict[str, Any], golden_frame: pl.DataFrame, meta: dict[str, Any]
) -> dict[str, bytes]:
    """The bytes of each file of a bundle, by name; arguments and errors as `write_bundle`."""
    values: dict[str, Any] = {
        "contract.json": model.contract.model_dump(mode="json"),
        "model.json": {
            "design": [column.model_dump(mode="json") for column in model.design.columns],
            "model": model.model.to_json(),
        },
        "calibration.json": model.calibration.model_dump(mode="json"),
        "reference.json": reference,
        "policy.json": Policy(scorecard=model.points).model_dump(mode="json"),
        "golden.json": golden_rows(model, golden_frame).model_dump(mode="json"),
    }
    files = {name: _encode(name, value) for name, value in values.items()}
    entries = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()
    }
    manifest: dict[str, Any] = {"format": FORMAT, "files": entries, "meta": meta}
    files[MANIFEST] = _encode(MANIFEST, {**manifest, "seal": _seal(manifest)})
    return files


def load_bundle(directory: Path, expected_sha256: str | None = None, threads: int = 2) -> Bundle:
    """Read and verify a bundle: size, files, hashes, structure, golden rows to the last bit; only then return it.

    Args:
        directory: the bundle.
        expected_sha256: what the registry says it is.
        threads: for batches.

    Raises:
        BundleError: with the file and the reason; nothing of the bundle has been used.
    """
    files = _read(directory)
    manifest = _manifest(files.pop(MANIFEST), expected_sha256)
    for name, data in files.items():
        entry = manifest.files.get(name)
        if entry is None or len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
            _refuse(name, "its bytes are not those that the manifest lists")
    model = _model(files, threads)
    golden = _golden(files["golden.json"])
    try:
        problem = golden.problem(model)
    except (FeatureError, ValueError) as error:
        problem = str(error)
    if problem:
        _refuse("golden.json", problem)
    reference = cast("dict[str, Any]", _decode("reference.json", files["reference.json"]))
    return Bundle(model, reference, manifest.meta, golden, hashlib.sha256(_bytes(manifest)).hexdigest())


def _read(directory: Path) -> dict[str, bytes]:
    try:
        found = {path.name: path for path in directory.iterdir()}
    except OSError as error:
        raise BundleError(f"{directory}: cannot be read: {error.strerror}") from error
    wanted = {MANIFEST, *PARTS}
    if set(found) != wanted:
        missing, extra = sorted(wanted - set(found)), sorted(set(found) - wanted)
        raise BundleError(f"{directory}: files missing: {missing}, files that do not belong: {extra}")
    total, files = 0, {}
    for name, path in sorted(found.items()):
        status = path.lstat()
        total += status.st_size
        if not stat.S_ISREG(status.st_mode):
            _refuse(name, "not a regular file")
        if total > MAX_BYTES:
            _refuse(name, f"with it the bundle is larger than {MAX_BYTES} bytes")
        files[name] = path.read_bytes()
    return files


def _manifest(data: bytes, expected_sha256: str | None) -> Manifest:
    if expected_sha256 is not None and hashlib.sha256(data).hexdigest() != expected_sha256:
        _refuse(MANIFEST, "its SHA-256 is not the expected one")
    value = _decode(MANIFEST, data)
    try:
        manifest = Manifest.model_validate(value)
    except ValidationError as error:
        _refuse(MANIFEST, _first(error))
    if _bytes(manifest) != data or _seal(manifest.model_dump(exclude={"seal"})) != manifest.seal:
        _refuse(MANIFEST, "its seal is broken")
    if manifest.format != FORMAT:
        _refuse(MANIFEST, f"format {manifest.format}, this version reads {FORMAT}")
    if set(manifest.files) != set(PARTS):
        _refuse(MANIFEST, "lists other files than a bundle has")
    return manifest


def _model(files: dict[str, bytes], threads: int) -> ScoringModel:
    name = "contract.json"
    try:
        contract = Contract.model_validate_json(files[name])
        name = "policy.json"
        policy = Policy.model_validate_json(files[name])
        name = "calibration.json"
        calibration = calibration_from_json(files[name])
        name = "model.json"
        value = _decode(name, files[name])
        design = Design(tuple(DesignColumn.model_validate(column) for column in value["design"]))
        fitted = model_from_json(json.dumps(value["model"]))
        fitted.check(len(design.columns))
        model = ScoringModel(contract, design, fitted, calibration, policy.scorecard, threads)
        unknown = set(design.features) - set(model.feature_set.names)
    except (ValueError, KeyError, TypeError) as error:
        _refuse(name, _first(error))
    if unknown:
        _refuse(name, f"the design has columns of features that the contract lacks: {sorted(unknown)}")
    return model


def _golden(data: bytes) -> GoldenRows:
    try:
        return GoldenRows.model_validate_json(data)
    except ValidationError as error:
        _refuse("golden.json", _first(error))


def _bytes(manifest: Manifest) -> bytes:
    return _encode(MANIFEST, manifest.model_dump(mode="json"))


def _seal(manifest: dict[str, Any]) -> str:
    return hashlib.sha256(_encode(MANIFEST, manifest)).hexdigest()


def _encode(name: str, value: Any) -> bytes:
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{name}: holds a value that JSON has not: {error}") from error
    return text.encode("ascii")


def _decode(name: str, data: bytes) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        value = json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        _refuse(name, f"not JSON: {error}")
    if not isinstance(value, dict):
        _refuse(name, "not a JSON object")
    return cast("dict[str, Any]", value)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return f"{type(error).__name__}: {error}"


def _refuse(name: str, reason: str) -> NoReturn:
    raise BundleError(f"{name}: {reason}")
