"""Checks a contract file: its form, its rules, and the SQL of its features."""

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from loan_platform.core.book.book_errors import ContractError
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.checking.file_check import FileCheck, check_file
from loan_platform.core.checking.yaml_file import YamlFile, read_yaml
from loan_platform.core.errors import Issue
from loan_platform.core.features.feature_set import input_schema
from loan_platform.core.features.feature_sql import feature_issues
from loan_platform.core.features.row_rules import rule_issues
from loan_platform.core.features.undefined import divisors, undefined_at
from loan_platform.core.rule_sql.kinds import unlike_issue

COLUMN_NAME = re.compile(r"\b[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+\b")


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
        _check_rules(check, contract)
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
    runs = [i for k, i in enumerate(sound) if k not in dict(found)]
    check.add(issue for i in sound if (issue := _silent(paths[i], computed[i])))
    check.add(issue for i in runs if (issue := _silent_at(paths[i], computed[i], contract)))
    named = zip(contract.features, paths, strict=False)
    check.add(issue for feature, path in named if path not in wrong and (issue := _names_a_column(path, feature)))


def _check_rules(check: FileCheck[Contract], contract: Contract) -> None:
    """Compile the row rules that have no other issue."""
    wrong = {issue.path.partition(".")[0] for issue in check.issues}
    sound = [i for i in range(len(contract.row_rules)) if f"row_rules[{i}]" not in wrong]
    rules = tuple(contract.row_rules[i] for i in sound)
    schema = input_schema((), contract, rules)
    found = dict(rule_issues(rules, pl.DataFrame(schema=schema)))
    for i, rule in enumerate(rules):
        if i not in found and (issue := unlike_issue(rule.sql, schema)):
            found[i] = issue
    check.add(issue._replace(path=f"row_rules[{sound[i]}].{issue.path}") for i, issue in sorted(found.items()))


def _silent(path: str, feature: Feature) -> Issue | None:
    """An issue if a monotone feature divides and does not say what it is when the divisor is zero.

    Contracts of models that were trained before the key existed still load: this rule is only for files.
    """
    if feature.monotone is None or feature.when_undefined is not None or not (found := divisors(feature)):
        return None
    message = f"{feature.name!r} divides by {' and '.join(found)}, and does not say what it is when that is 0"
    end = "highest_risk" if feature.monotone == "increasing" else "lowest_risk"
    hint = f"Write `when_undefined: {end}` if the feature grows as the divisor nears 0, or another end."
    return Issue(f"{path}.monotone", message, hint, "undefined_not_stated")


def _silent_at(path: str, feature: Feature, contract: Contract) -> Issue | None:
    """An issue if a monotone feature is not finite at some value, as `ln(income)` at 0; only for files."""
    if feature.monotone is None or feature.when_undefined is not None or divisors(feature):
        return None
    if (at := undefined_at(feature, contract.by_name)) is None:
        return None
    values = " and ".join(f"{name} is {value:g}" for name, value in at.items())
    message = f"{feature.name!r} has no value where {values}, and does not say what it is there"
    hint = "Write `when_undefined: highest_risk`, or another end, or state the `minimum` of the column."
    return Issue(f"{path}.monotone", message, hint, "undefined_not_stated")


def _names_a_column(path: str, feature: Feature) -> Issue | None:
    """An issue if an applicant would be told the name of a column; only for files, like `_silent`."""
    told = {"reason": feature.reason, "reason_not_known": feature.reason_not_known or ""}
    told["missing_means"] = feature.missing_means or ""
    if not feature.reason_not_known and not feature.missing_means:
        told["description"] = feature.description.partition(";")[0]
    for key, text in told.items():
        if found := COLUMN_NAME.search(text):
            message = f"the applicant would be told {found[0]!r}, which looks like the name of a column"
            return Issue(f"{path}.{key}", message, "Say it in words that a customer understands.", "no_plain_text")
    return None
