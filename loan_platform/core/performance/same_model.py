"""Versions that answer by the same model: a change of cut-offs does not forget what the model's loans became."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from loan_platform.core.book.contract import Contract
from loan_platform.core.evaluation.gates.contract_changes import meaning_sha256
from loan_platform.core.scoring.decisions import AnswerPolicy
from loan_platform.core.scoring.manifest import (
    MANIFEST,
    BundleError,
    encode,
    first_issue,
    read_manifest,
    reject,
    sha256,
)

PROBABILITY_PARTS = ("model.json", "calibration.json")


@dataclass(frozen=True)
class AnsweringModel:
    """How a version answers.

    Attributes:
        probabilities: SHA-256 of what gives a loan its probability. Equal for versions that differ in policies alone.
        approve_below: cut-off of an approval.
    """

    probabilities: str
    approve_below: float


def answering_model(bundle: Path) -> AnsweringModel:
    """How the version of a bundle's directory answers. The model itself is not loaded.

    Args:
        bundle: the directory.

    Raises:
        BundleError: a file is damaged, missing or of another release.
    """
    name = MANIFEST
    try:
        files = read_manifest((bundle / name).read_bytes()).files
        name = "policy.json"
        policy = AnswerPolicy.model_validate_json((bundle / name).read_bytes())
        name = "contract.json"
        contract = Contract.model_validate_json((bundle / name).read_bytes())
    except BundleError:
        raise
    except (OSError, ValueError) as error:  # pydantic's errors are ValueErrors
        reject(name, first_issue(error))
    same = {name: files[name].sha256 for name in PROBABILITY_PARTS}
    same["contract"] = meaning_sha256(contract, use_pricing=True)  # a bundle has no feature that it may not read
    return AnsweringModel(sha256(encode(MANIFEST, same)), policy.decision.approve_below)


def loans_of_model(scored: pl.DataFrame, version: int, models: Mapping[int, AnsweringModel]) -> pl.DataFrame:
    """The loans of a version, and those that other versions scored with the same model.

    A loan of another version counts as approved if both versions approve it. Where the other one approved fewer loans,
    none of its loans counts as approved: its approved ones are not like those of this version.

    Args:
        scored: rows of `with_expected`.
        version: whose loans are wanted.
        models: how each version answers. One that is missing is compared with no other.
    """
    own = models.get(version)
    if own is None:
        return scored.filter(pl.col("model_version") == version)
    same = {other: found for other, found in models.items() if found.probabilities == own.probabilities}
    wider = [other for other, found in same.items() if found.approve_below >= own.approve_below]
    own_answer = pl.col("model_version") == version
    by_both = pl.col("model_version").is_in(wider) & (pl.col("probability") < own.approve_below)
    loans = scored.filter(pl.col("model_version").is_in(list(same)))
    return loans.with_columns(approved=pl.col("approved") & (own_answer | by_both))
