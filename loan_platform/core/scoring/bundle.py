"""The model bundle: a directory of JSON that is verified completely before anything in it is used.

Same model, same bytes: keys are sorted, numbers are written in their shortest exact form, no clock is read.
"""

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.core.book.contract import Contract
from loan_platform.core.features.design_matrix import Design, DesignColumn
from loan_platform.core.models.calibration import calibration_from_json
from loan_platform.core.models.families import model_from_json
from loan_platform.core.scoring.decisions import AnswerPolicy
from loan_platform.core.scoring.golden_rows import GoldenRows, golden_rows
from loan_platform.core.scoring.manifest import (
    MANIFEST,
    MAX_BYTES,
    BundleError,
    decode,
    encode,
    first_mistake,
    manifest_bytes,
    read_manifest,
    refuse,
    sha256,
)
from loan_platform.core.scoring.scoring_model import ScoringModel

PARTS = ("contract.json", "model.json", "calibration.json", "reference.json", "policy.json", "golden.json")


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
    return sha256(files[MANIFEST])


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
        "policy.json": model.policy.model_dump(mode="json"),
        "golden.json": golden_rows(model, golden_frame).model_dump(mode="json"),
    }
    files = {name: encode(name, value) for name, value in values.items()}
    return {**files, MANIFEST: manifest_bytes(files, meta)}


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
    found = sha256(files[MANIFEST])
    if expected_sha256 is not None and found != expected_sha256:
        refuse(MANIFEST, "its SHA-256 is not the expected one")
    manifest = read_manifest(files.pop(MANIFEST), PARTS)
    for name, entry in manifest.files.items():
        if len(files[name]) != entry.bytes or sha256(files[name]) != entry.sha256:
            refuse(name, "its bytes are not those that the manifest lists")
    model = _model(files, threads)
    golden = _proven(model, files["golden.json"])
    return Bundle(model, decode("reference.json", files["reference.json"]), manifest.meta, golden, found)


def _read(directory: Path) -> dict[str, bytes]:
    """The bytes of each file, read once: what is verified is what is used."""
    try:
        found = {path.name: path for path in directory.iterdir()}
    except OSError as error:
        raise BundleError(f"{directory}: cannot be read: {error.strerror}") from error
    wanted = {MANIFEST, *PARTS}
    if set(found) != wanted:
        missing, extra = sorted(wanted - set(found)), sorted(set(found) - wanted)
        raise BundleError(f"{directory}: files missing: {missing}, files that do not belong: {extra}")
    total = 0
    for name, path in sorted(found.items()):
        status = path.lstat()
        total += status.st_size
        if not stat.S_ISREG(status.st_mode):
            refuse(name, "not a regular file")
        if total > MAX_BYTES:
            refuse(name, f"with it the bundle is larger than {MAX_BYTES} bytes")
    return {name: path.read_bytes() for name, path in found.items()}


def _model(files: dict[str, bytes], threads: int) -> ScoringModel:
    name = "contract.json"
    try:
        contract = Contract.model_validate_json(files[name])
        name = "policy.json"
        policy = AnswerPolicy.model_validate_json(files[name])
        name = "calibration.json"
        calibration = calibration_from_json(files[name])
        name = "model.json"
        value = decode(name, files[name])
        design = Design(tuple(DesignColumn.model_validate(column) for column in value["design"]))
        fitted = model_from_json(json.dumps(value["model"]))
        fitted.check(len(design.columns))
        model = ScoringModel(contract, design, fitted, calibration, policy, threads)
        unknown = set(design.features) - set(model.feature_set.names)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        refuse(name, first_mistake(error))
    if unknown:
        refuse(name, f"the design has columns of features that the contract lacks: {sorted(unknown)}")
    return model


def _proven(model: ScoringModel, data: bytes) -> GoldenRows:
    """The golden rows, which this model has scored to the bit."""
    try:
        golden = GoldenRows.model_validate_json(data)
        problem = golden.problem(model)
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        refuse("golden.json", first_mistake(error))
    if problem:
        refuse("golden.json", problem)
    return golden
