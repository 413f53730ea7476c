"""Checks the two files of a book, each alone and both together, and finds every issue in one run."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from loan_platform.core.book.book_errors import ContractError
from loan_platform.core.book.close_names import closest
from loan_platform.core.book.decision_policies import ceiling_issues, reason_issues
from loan_platform.core.book.policies import Policies
from loan_platform.core.book.portfolio import COMPONENT, Attributes, DefsFile, Portfolio, portfolio_issues
from loan_platform.core.checking.contract_check import ContractCheck, check_contract
from loan_platform.core.checking.file_check import FileCheck, check_file
from loan_platform.core.checking.yaml_file import YamlFile, read_yaml
from loan_platform.core.errors import Issue

DEFS = "defs.yaml"


@dataclass(frozen=True)
class BookCheck:
    """Result of the check of a book's folder.

    Attributes:
        portfolio: the book; None if an issue keeps it from loading.
        defs: `defs.yaml`, for the lines of its keys.
        contract: the contract's file, and the contract as far as it can be read.
        attributes: of `defs.yaml`, as far as they can be read.
        issues: every issue, `defs.yaml` first, in the order of their lines.
        notes: what is no error, such as old names of keys.
    """

    portfolio: Portfolio | None
    defs: YamlFile
    contract: ContractCheck
    attributes: Attributes | None
    issues: tuple[Issue, ...]
    notes: tuple[Issue, ...] = ()


def check_book(folder: Path) -> BookCheck:
    """Read `defs.yaml` and the contract that it names. Issues are returned, not raised."""
    defs = check_file(read_yaml(folder / DEFS), DefsFile)
    attributes = defs.value.attributes if defs.value else defs.parts.get(("attributes",))
    attributes = attributes if isinstance(attributes, Attributes) else None
    if attributes:  # a policy with inconsistent values was replaced by its defaults
        stated = {str(path[-1]): part for path, part in defs.parts.items() if path[:-1] == ("attributes",)}
        attributes = attributes.model_copy(update=stated)
    contract = check_contract(folder / (attributes.contract if attributes else "contract.yaml"))
    if attributes and contract.contract:
        known = tuple(f"{issue.path}." for issue in defs.issues if issue.path)
        issues = portfolio_issues(attributes, contract.contract)
        whole = [issue._replace(path=f"attributes.{issue.path}") for issue in issues]
        defs.add(issue for issue in whole if not f"{issue.path}.".startswith(known))
    loads = not (defs.issues or contract.issues)
    raised = (*ceiling_issues(attributes.promotion), *reason_issues(attributes.promotion)) if attributes else ()
    defs.add(issue._replace(path=f"attributes.promotion.{issue.path}") for issue in raised)
    if attributes is None or contract.contract is None or not loads:
        issues, notes = (*defs.issues, *contract.issues), (*defs.notes, *contract.notes)
        return BookCheck(None, defs.file, contract, attributes, issues, notes)
    return _named(folder, defs, contract, attributes)


def load_book(folder: Path) -> Portfolio:
    """The book of a folder; the folder's name is the book's.

    Raises:
        ContractError: with every issue of both files, one per line, as `file:line: key path: message. Hint.`
    """
    check = check_book(folder)
    if check.portfolio is None:
        raise ContractError(check.issues)
    return check.portfolio


def other_component(folder: Path) -> str | None:
    """The component of a folder that holds something else than a loan book; None for a book."""
    data = read_yaml(folder / DEFS).data
    kind = cast("dict[str, object]", data).get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str) or "." not in kind or kind.startswith("loan_platform."):
        return None
    return None if closest(kind, [COMPONENT], cutoff=0.8) else kind


def _named(folder: Path, defs: FileCheck[DefsFile], contract: ContractCheck, attributes: Attributes) -> BookCheck:
    policies = {name: getattr(attributes, name) for name in Policies.model_fields}
    notes = (*defs.notes, *contract.notes)
    try:
        portfolio = Portfolio(name=folder.name, contract=contract.contract, **policies)  # pyright: ignore[reportArgumentType]
    except ValidationError:  # everything but the name is valid
        message = f"the folder name {folder.name!r} is not a valid name of a book"
        hint = "Rename the folder: lower-case letters, digits and underscores, a letter first, at most 63 characters."
        defs.add([Issue("", message, hint, "invalid_name")])
        return BookCheck(None, defs.file, contract, attributes, tuple(defs.issues), notes)
    return BookCheck(portfolio, defs.file, contract, attributes, tuple(defs.issues), notes)
