"""Check a book's SQL in DuckDB, and its contract against the source files that exist."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from loan_platform.adapters.book_check.findings import Findings
from loan_platform.adapters.book_check.missing_columns import find_missing_columns, find_seldom_missing
from loan_platform.adapters.book_check.rule_check import engine_issues
from loan_platform.adapters.book_check.target_check import check_target, default_rate
from loan_platform.adapters.sources.gcs import is_in_bucket
from loan_platform.adapters.sources.resolve import resolve
from loan_platform.adapters.sources.sample import Sample, read_sample
from loan_platform.adapters.sources.sql_check import sql_issues
from loan_platform.adapters.sources.unit_check import sample_unit_issues
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.key_paths import path_parts
from loan_platform.core.checking.book_check import BookCheck
from loan_platform.core.errors import Issue, SourceError
from loan_platform.core.staging.table import Table
from loan_platform.core.staging.unit_evidence import checked_columns


def check_sources(check: BookCheck, home: Path, overrides: Mapping[str, str], prefix: str) -> Findings:
    """Check the contract's SQL in DuckDB and the contract against each source. No error is raised.

    Args:
        check: result of checking the book's two files.
        home: the platform home; relative paths are below it.
        overrides: path, glob or URI from the environment, by source.
        prefix: of the book's environment variables, for messages.
    """
    found = Findings()
    contract, attributes = check.contract.contract, check.attributes
    if contract is None or attributes is None:
        return found
    found.issues += [_located(check, issue) for issue in engine_issues(contract, check.contract.issues)]
    if getattr(contract, "tables", ()):
        message = "linked files are not checked against the contract here; the job that reads them checks them"
        found.notes.append(check.contract.file.issue(("tables",), message, "", "source_not_checked"))
        return found
    known = {issue.path.partition("]")[0] for issue in check.contract.issues}
    new = [issue for issue in sql_issues(contract) if issue.path.partition("]")[0] not in known]
    found.issues += [_located(check, issue) for issue in new]
    if found.issues or check.contract.issues:  # the columns that broken SQL reads are unknown
        return found
    for name in attributes.sources:
        _check_source(found, check, contract, name, _files(found, check, name, home, overrides, prefix))
    return found


def _files(
    found: Findings, check: BookCheck, name: str, home: Path, overrides: Mapping[str, str], prefix: str
) -> list[Path]:
    """Local files of a source. Empty, with a note, if they do not exist or are in a bucket."""
    assert check.attributes is not None
    source, override = check.attributes.sources[name], overrides.get(name)
    path = ("attributes", "sources", name, "path")
    if is_in_bucket(override or source.path):
        message = "the source is in a bucket and was not checked"
        found.notes.append(check.defs.issue(path, message, "", "source_not_checked"))
        return []
    variable = f"{prefix}_{name}".upper()
    try:
        return resolve(source, home=home, cache=home, override=override, variable=variable)
    except SourceError as error:
        message = f"{error.file} {error.message}, so the contract was not checked against it"
        found.notes.append(check.defs.issue(path, message, error.hint, "source_not_found"))
        return []


def _check_source(found: Findings, check: BookCheck, contract: Contract, name: str, files: list[Path]) -> None:
    assert check.attributes is not None
    table = Table.from_contract(contract, outcomes=name == "outcomes", needs_target=name == "loans")
    wanted = contract.target.raw_columns.union(*(column.raw_columns for column in checked_columns(table)))
    if name == "loans":
        inputs = {column for feature in contract.features for column in feature.columns}
        wanted = wanted.union(*(column.raw_columns for column in contract.columns if column.name in inputs))
    samples: list[Sample] = []
    for path in files:
        try:
            sample = read_sample(path, table, check.attributes.sources[name], wanted)
        except SourceError as error:
            place = ("attributes", "sources", name, "path")
            found.issues.append(check.defs.issue(place, f"{path} {error.message}", error.hint, "source_unreadable"))
            continue
        samples.append(sample)
        found.files.append(f"{name} {path.name}")
        found.issues += _latest_by(check, name, path.name, sample.names)
        found.issues += [_located(check, issue) for issue in sample_unit_issues(table, path.name, sample)]
        _add(found, check, find_missing_columns(contract, table, path.name, sample.names))
        found.notes += [_located(check, issue) for issue in _texts_of_numbers(table, path.name, sample)]
    if name == "loans" and samples and not found.issues:
        _add(found, check, check_target(contract, samples))
        least = check.attributes.training.needed_rows(default_rate(contract, samples))
        _add(found, check, find_seldom_missing(contract, samples, least))


def _texts_of_numbers(table: Table, file: str, sample: Sample) -> Iterator[Issue]:
    """A note for each free text that a Parquet file holds as a number: earlier releases wrote 36 as 36.0."""
    for i, column in enumerate(table.columns):
        free = column.type == "text" and column.allowed is None and not table.is_key(column)
        if free and column.raw_columns & sample.numbers:
            message = f"is text, and {file} holds it as a number: 36 is written 36. Earlier releases wrote 36.0"
            hint = "State the categories in `allowed`, in either spelling. Train again where a model learned 36.0."
            yield Issue(f"columns[{i}].type", message, hint, "text_of_numbers")


def _latest_by(check: BookCheck, name: str, file: str, columns: tuple[str, ...]) -> list[Issue]:
    """An issue if the file lacks the date column that says which row is the latest."""
    assert check.attributes is not None
    latest = check.attributes.sources[name].latest_by
    if latest is None or latest.column.lower() in columns:
        return []
    path, message = ("attributes", "sources", name, "latest_by", "column"), f"{file} has no such column"
    hint = f"Its columns are {', '.join(sorted(columns))}."
    return [check.defs.issue(path, message, hint, "missing_column")]


def _add(found: Findings, check: BookCheck, more: Findings) -> None:
    found.issues += [_located(check, issue) for issue in more.issues]
    found.notes += [_located(check, issue) for issue in more.notes]


def _located(check: BookCheck, issue: Issue) -> Issue:
    """The issue with file and line of the contract."""
    return check.contract.file.issue(path_parts(issue.path), issue.message, issue.hint, issue.code)
