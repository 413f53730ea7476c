"""A book against DuckDB and its source files, where they are there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loan_platform.adapters.sources.missing_columns import find_missing_columns
from loan_platform.adapters.sources.resolve import resolve
from loan_platform.adapters.sources.sample import Sample, read_sample
from loan_platform.adapters.sources.sql_check import binding_issues
from loan_platform.adapters.sources.target_check import target_findings
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.key_paths import path_parts
from loan_platform.core.book.sql import columns_read
from loan_platform.core.checking.book_check import BookCheck
from loan_platform.core.errors import Issue, SourceError
from loan_platform.core.staging.table import Table

BUCKET = "gs://"


@dataclass
class SourceFindings:
    """What was found beyond the two files.

    Attributes:
        issues: the book would fail.
        notes: what may be meant so, or could not be looked at.
        files: source and name of each file that the contract was held against.
    """

    issues: list[Issue] = field(default_factory=list[Issue])
    notes: list[Issue] = field(default_factory=list[Issue])
    files: list[str] = field(default_factory=list[str])


def check_sources(check: BookCheck, home: Path, overrides: Mapping[str, str], prefix: str) -> SourceFindings:
    """Try the SQL of the contract in DuckDB, and hold it against each source; nothing is raised.

    Args:
        check: what is known of the book's two files.
        home: the platform home; relative paths are below it.
        overrides: path, glob or URI that the environment gives, by source.
        prefix: of the environment variables of the book, for messages.
    """
    found = SourceFindings()
    contract, attributes = check.contract.contract, check.attributes
    if contract is None or attributes is None:
        return found
    if getattr(contract, "tables", ()):
        message = "linked files are not held against the contract here; the job that reads them does it"
        found.notes.append(check.contract.file.issue(("tables",), message, ""))
        return found
    wrong = {issue.path.partition("]")[0] for issue in check.contract.issues}
    refused = [issue for issue in binding_issues(contract) if issue.path.partition("]")[0] not in wrong]
    found.issues += [_issue(check, issue) for issue in refused]
    if found.issues or check.contract.issues:  # what such SQL reads says nothing yet
        return found
    for name in attributes.sources:
        _check_source(found, check, contract, name, _files(found, check, name, home, overrides, prefix))
    return found


def _files(
    found: SourceFindings, check: BookCheck, name: str, home: Path, overrides: Mapping[str, str], prefix: str
) -> list[Path]:
    """Local files of a source; none where it is not there or in a bucket."""
    assert check.attributes is not None
    source, override = check.attributes.sources[name], overrides.get(name)
    place = ("attributes", "sources", name, "path")
    if (override or source.path).startswith(BUCKET):
        found.notes.append(check.defs.issue(place, "the source is in a bucket and was not looked at", ""))
        return []
    variable = f"{prefix}_{name}".upper()
    try:
        return resolve(source, home=home, cache=home, override=override, variable=variable)
    except SourceError as error:
        message = f"{error.file} {error.message}, so the contract was not held against it"
        found.notes.append(check.defs.issue(place, message, error.hint))
        return []


def _check_source(found: SourceFindings, check: BookCheck, contract: Contract, name: str, files: list[Path]) -> None:
    assert check.attributes is not None
    table = Table.from_contract(contract, outcomes=name == "outcomes")
    target = columns_read(contract.target.sql)
    samples: list[Sample] = []
    for path in files:
        try:
            sample = read_sample(path, table, check.attributes.sources[name], target)
        except SourceError as error:
            place = ("attributes", "sources", name, "path")
            found.issues.append(check.defs.issue(place, f"{path} {error.message}", error.hint))
            continue
        samples.append(sample)
        found.files.append(f"{name} {path.name}")
        columns = find_missing_columns(contract, table, path.name, sample.names, needs_target=name == "loans")
        found.issues += [_issue(check, issue) for issue in columns.issues]
        found.notes += [_issue(check, issue) for issue in columns.notes]
    if name == "loans" and samples and not found.issues:
        outcome = target_findings(contract, samples)
        found.issues += [_issue(check, issue) for issue in outcome.issues]
        found.notes += [_issue(check, issue) for issue in outcome.notes]


def _issue(check: BookCheck, issue: Issue) -> Issue:
    return check.contract.file.issue(path_parts(issue.path), issue.message, issue.hint, issue.code)
