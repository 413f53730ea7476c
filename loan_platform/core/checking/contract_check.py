"""Checks a contract file: its form, its rules, and the SQL of its features."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from loan_platform.core.book.book_errors import ContractError
from loan_platform.core.book.contract import Contract
from loan_platform.core.checking.file_check import FileCheck, check_file
from loan_platform.core.checking.yaml_file import YamlFile, read_yaml
from loan_platform.core.errors import Issue
from loan_platform.core.features.feature_set import input_schema
from loan_platform.core.features.feature_sql import feature_issues


@dataclass(frozen=True)
class ContractCheck:
    """Result of the check of a contract file.

    Attributes:
        file: the file, for the lines of its keys.
        contract: the contract as far as it can be read, for further checks. It is complete if there is no issue.
        issues: every issue, in the order of their lines.
        notes: what is no error, such as old names of keys.
    """

    file: YamlFile
    contract: Contract | None
    issues: tuple[Issue, ...]
    notes: tuple[Issue, ...] = ()


def check_contract(path: Path) -> ContractCheck:
    """Check form, rules and the SQL of the features. Issues are returned, not raised."""
    check = check_file(read_yaml(path), Contract)
    contract = check.value or check.parts.get(())
    if not isinstance(contract, Contract):
        return ContractCheck(check.file, None, tuple(check.issues), check.notes)
    if check.judged:
        _check_features(check, contract)
    return ContractCheck(check.file, contract, tuple(check.issues), check.notes)


def load_contract(path: Path) -> Contract:
    """Read a contract file.

    Raises:
        ContractError: with every issue, one per line, as `file:line: key path: message. Hint.`
    """
    checked = check_contract(path)
    if checked.issues or checked.contract is None:
        raise ContractError(checked.issues)
    return checked.contract


def _check_features(check: FileCheck[Contract], contract: Contract) -> None:
    """Compile the features and the exposure that have no other issue."""
    wrong = {issue.path.partition(".")[0] for issue in check.issues}
    computed = contract.computed(use_pricing=True)
    paths = [*(f"features[{i}]" for i in range(len(contract.features))), "exposure"]
    sound = [i for i in range(len(computed)) if paths[i] not in wrong]
    features = tuple(computed[i] for i in sound)
    empty = pl.DataFrame(schema=input_schema(features, contract))
    found = list(feature_issues(features, empty))
    check.add(issue._replace(path=f"{paths[sound[i]]}.{issue.path}") for i, issue in found)
