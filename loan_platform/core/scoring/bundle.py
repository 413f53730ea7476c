"""The model bundle: a directory of JSON that is verified completely before it is used.

The same model gives the same bytes: keys are sorted, numbers have their shortest exact form, and no clock is read.
"""

import json
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.core.book.contract import Contract
from loan_platform.core.features.design_column import DesignColumn
from loan_platform.core.features.design_matrix import Design
from loan_platform.core.models.calibration import calibration_from_json
from loan_platform.core.models.families import model_from_json
from loan_platform.core.scoring.decisions import AnswerPolicy
from loan_platform.core.scoring.golden_answers import GoldenAnswers, golden_answers
from loan_platform.core.scoring.golden_choice import coverage
from loan_platform.core.scoring.golden_rows import GoldenRows, golden_rows
from loan_platform.core.scoring.manifest import (
    ANSWERS,
    GOLDEN,
    MANIFEST,
    MAX_BYTES,
    MODEL_PARTS,
    PARTS,
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

POLICY_OF, GOLDEN_ROWS = "policy_of", "golden_rows"  # keys of the metadata


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
        meta: JSON values for people and for the registry. Without a time, or the bytes change with it. What the golden
            rows reach of the model and its policy is added.

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
    golden = golden_rows(model, golden_frame)
    rows = golden.frame(model)
    values: dict[str, Any] = {
        "contract.json": model.contract.model_dump(mode="json"),
        "model.json": {
            "design": [column.model_dump(mode="json") for column in model.design.columns],
            "model": model.model.to_json(),
        },
        "calibration.json": model.calibration.model_dump(mode="json"),
        "reference.json": reference,
        "policy.json": model.policy.model_dump(mode="json"),
        GOLDEN: golden.model_dump(mode="json"),
        ANSWERS: golden_answers(model, rows).model_dump(mode="json"),
    }
    files = {name: encode(name, value) for name, value in values.items()}
    return {**files, MANIFEST: manifest_bytes(files, {**meta, GOLDEN_ROWS: _golden_meta(model, rows)})}


def write_policy_bundle(directory: Path, trained: Path, bundle: Bundle, policy: AnswerPolicy) -> str:
    """Write a bundle with the model of another one byte for byte, and another answer policy.

    Args:
        directory: where to write, new.
        trained: directory of the other bundle.
        bundle: the other bundle, verified.
        policy: the other policy.

    Returns:
        The bundle's SHA-256. Its `meta` names the model that it is a policy version of.
    """
    model = replace(bundle.model, policy=policy)
    rows = bundle.golden.frame(model)
    files = {name: (trained / name).read_bytes() for name in MODEL_PARTS}
    files["policy.json"] = encode("policy.json", policy.model_dump(mode="json"))
    files[ANSWERS] = encode(ANSWERS, golden_answers(model, rows).model_dump(mode="json"))
    meta = {**bundle.meta, POLICY_OF: trained_sha256(bundle), GOLDEN_ROWS: _golden_meta(model, rows)}
    files[MANIFEST] = manifest_bytes(files, meta)
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
    manifest = read_manifest(files.pop(MANIFEST))
    _require_files(directory, set(files), set(manifest.files))
    for name, entry in manifest.files.items():
        if len(files[name]) != entry.bytes or sha256(files[name]) != entry.sha256:
            reject(name, "its bytes are not those that the manifest lists")
    model = _model(files, threads)
    golden = _verified_golden_rows(model, files[GOLDEN], files.get(ANSWERS))
    return Bundle(model, decode("reference.json", files["reference.json"]), manifest.meta, golden, found)


def _read(directory: Path) -> dict[str, bytes]:
    """The bytes of each file. They are read once, so the verified bytes are the used ones."""
    try:
        found = {path.name: path for path in directory.iterdir()}
    except OSError as error:
        raise BundleError(f"{directory}: cannot be read: {error.strerror}") from error
    if set(found) != {MANIFEST, *MODEL_PARTS}:  # the files of an earlier release
        _require_files(directory, set(found), {MANIFEST, *PARTS})
    total = 0
    for name, path in sorted(found.items()):
        status = path.lstat()
        total += status.st_size
        if not stat.S_ISREG(status.st_mode):
            reject(name, "not a regular file")
        if total > MAX_BYTES:
            reject(name, f"with it the bundle is larger than {MAX_BYTES} bytes")
    return {name: path.read_bytes() for name, path in found.items()}


def _require_files(directory: Path, found: set[str], wanted: set[str]) -> None:
    if found != wanted:
        missing, extra = sorted(wanted - found), sorted(found - wanted)
        raise BundleError(f"{directory}: files missing: {missing}, files that do not belong: {extra}")


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


def _golden_meta(model: ScoringModel, rows: pl.DataFrame) -> dict[str, Any]:
    return {"rows": rows.height, "reached": coverage(model, model.features(rows))}


def _verified_golden_rows(model: ScoringModel, data: bytes, answers: bytes | None) -> GoldenRows:
    """The golden rows, once the model has scored and answered them to the bit."""
    name = GOLDEN
    try:
        golden = GoldenRows.model_validate_json(data)
        problem = golden.problem(model)
        if problem is None and answers is not None:
            name = ANSWERS
            problem = GoldenAnswers.model_validate_json(answers).problem(model, golden.frame(model))
    except (ValueError, KeyError, TypeError, IndexError, pl.exceptions.PolarsError) as error:
        reject(name, first_issue(error))
    if problem:
        reject(name, problem)
    return golden
