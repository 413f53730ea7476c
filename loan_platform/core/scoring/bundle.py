"""The model bundle: a directory of JSON that is verified completely before it is used.

The same model gives the same bytes: keys are sorted, numbers have their shortest exact form, and no clock is read.
"""

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.core.book.contract import Contract
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
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
    first_issue,
    manifest_bytes,
    read_manifest,
    reject,
    sha256,
)
from loan_platform.core.scoring.scoring_model import ScoringModel

PARTS = ("contract.json", "model.json", "calibration.json", "reference.json", "policy.json", "golden.json")
POLICY_OF = "policy_of"  # key of the metadata


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: the model, its reference distributions, metadata and golden rows."""

    model: ScoringModel
    reference: dict[str, Any]
    meta: dict[str, Any]
    golden: GoldenRows
    sha256: str


def write_bundle(
    directory: Path, model: ScoringModel, reference: dict[str, Any], golden_frame: pl.DataFrame, meta: dict[str, Any]
) -> str:
    """Write a bundle into an empty or new directory, the manifest last.

    To publish it atomically, write it under a temporary name and rename the directory.

    Args:
        directory: where to write.
        model: to bundle.
        reference: JSON values for monitoring; the bundle does not read them.
        golden_frame: at least 32 rows of typed columns. A row of nulls and a row of unknown categories are added.
        meta: JSON values for people and for the registry. Without a time, or the bytes change with it.

    Returns:
        The bundle's SHA-256: that of its manifest.

    Raises:
        BundleError: the directory is not empty, or a value is not JSON, such as a NaN.
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
    """The bytes of each file of a bundle, by name. Arguments and errors are those of `write_bundle`."""
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


def write_policy_bundle(directory: Path, trained: Path, bundle: Bundle, policy: AnswerPolicy) -> str:
    """Write a bundle that has the files of another one byte for byte, and another answer policy.

    Args:
        directory: where to write, new.
        trained: directory of the other bundle.
        bundle: the other bundle, verified.
        policy: the other policy.

    Returns:
        The bundle's SHA-256. Its `meta` names the model that it is a policy version of.
    """
    files = {name: (trained / name).read_bytes() for name in PARTS}
    files["policy.json"] = encode("policy.json", policy.model_dump(mode="json"))
    files[MANIFEST] = manifest_bytes(files, {**bundle.meta, POLICY_OF: trained_sha256(bundle)})
    directory.mkdir(parents=True)
    for name in (*PARTS, MANIFEST):
        (directory / name).write_bytes(files[name])
    return load_bundle(directory, sha256(files[MANIFEST])).sha256


def trained_sha256(bundle: Bundle) -> str:
    """SHA-256 of the bundle that training made: that of the bundle itself unless it is a policy version."""
    return str(bundle.meta.get(POLICY_OF, bundle.sha256))


def load_bundle(directory: Path, expected_sha256: str | None = None, threads: int = 2) -> Bundle:
    """Read and verify a bundle: size, files, hashes, structure, and golden rows to the last bit.

    Args:
        directory: of the bundle.
        expected_sha256: the bundle's SHA-256 in the registry.
        threads: for batches.

    Raises:
        BundleError: with the file and the reason. Nothing of the bundle has been used.
    """
    files = _read(directory)
    found = sha256(files[MANIFEST])
    if expected_sha256 is not None and found != expected_sha256:
        reject(MANIFEST, "its SHA-256 is not the expected one")
    manifest = read_manifest(files.pop(MANIFEST), PARTS)
    for name, entry in manifest.files.items():
        if len(files[name]) != entry.bytes or sha256(files[name]) != entry.sha256:
            reject(name, "its bytes are not those that the manifest lists")
    model = _model(files, threads)
    golden = _verified_golden_rows(model, files["golden.json"])
    return Bundle(model, decode("reference.json", files["reference.json"]), manifest.meta, golden, found)


def _read(directory: Path) -> dict[str, bytes]:
    """The bytes of each file. They are read once, so the verified bytes are the used ones."""
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
            reject(name, "not a regular file")
        if total > MAX_BYTES:
            reject(name, f"with it the bundle is larger than {MAX_BYTES} bytes")
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
        reject(name, first_issue(error))
    if unknown:
        reject(name, f"the design has columns of features that the contract lacks: {sorted(unknown)}")
    return model


def _verified_golden_rows(model: ScoringModel, data: bytes) -> GoldenRows:
    """The golden rows, once the model has scored them to the bit."""
    try:
        golden = GoldenRows.model_validate_json(data)
        problem = golden.problem(model)
    except (ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
        reject("golden.json", first_issue(error))
    if problem:
        reject("golden.json", problem)
    return golden
