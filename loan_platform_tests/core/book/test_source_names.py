"""`sources`: a raw column that files call differently, and what the contract says where a name means two columns."""

from typing import Any

import pytest
from pydantic import ValidationError

from loan_platform.core.book.book_errors import InconsistentError
from loan_platform.core.book.contract import Contract
from loan_platform.core.book.sql import columns_behind
from loan_platform.core.staging.table import Table
from loan_platform_tests.support.ingest import BOOK
from loan_platform_tests.support.small_books.linked_cars import CONTRACT as LINKED


def with_sources(target: list[str] | None = None, **columns: list[str]) -> dict[str, Any]:
    """The small contract, with other names of some columns."""
    changed = [
        column | ({"sources": columns[c]} if (c := column["name"]) in columns else {}) for column in BOOK["columns"]
    ]
    return BOOK | {"columns": changed, "target": BOOK["target"] | ({"sources": target} if target else {})}


def issues(contract: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as raised:
        Contract.model_validate(contract)
    (error,) = raised.value.errors()
    inner = error.get("ctx", {})["error"]
    assert isinstance(inner, InconsistentError)
    return [(issue.path, issue.code) for issue in inner.issues]


def test_names_of_a_file_become_those_of_the_sql() -> None:
    contract = Contract.model_validate(
        with_sources(target=["status", "State"], number=["ID", " Loan No. "], term=["Months"])
    )
    table = Table.from_contract(contract)
    assert table.canonical(["loan no.", "months", "state", "note"]) == ("id", "months", "status", "note")
    assert contract.by_name["term"].source_sql == '"Months"'
    assert "months" in table.raw_columns


def test_a_contract_without_them_has_the_bytes_it_had() -> None:
    assert "sources" not in Contract.model_validate(BOOK).model_dump_json()
    assert Contract.model_validate(with_sources(term=["M", "N"])).model_dump()["columns"][4]["sources"] == ("M", "N")


@pytest.mark.parametrize(
    ("contract", "path", "code"),
    [
        (with_sources(number=["number", "id"]), "columns[0].sources[0]", "unknown_column"),
        (with_sources(target=["state", "status"]), "target.sources[0]", "unknown_column"),
        (with_sources(term=["term", "Term "]), "columns[4].sources[1]", "duplicate_name"),
        (with_sources(term=["term", "rate"]), "columns[4].sources[1]", "duplicate_name"),
        (with_sources(term=["term", "x"], rate=["rate", "X"]), "columns[4].sources[1]", "duplicate_name"),
        (with_sources(target=["status", "id"]), "target.sources[1]", "duplicate_name"),
    ],
)
def test_a_name_means_one_raw_column(contract: dict[str, Any], path: str, code: str) -> None:
    assert issues(contract) == [(path, code)]


def test_linked_files_have_them_in_their_tables() -> None:
    people = LINKED["tables"][1]
    columns = [people["columns"][0] | {"sources": ["person", "Customer"]}, *people["columns"][1:]]
    contract = Contract.model_validate(LINKED | {"tables": [LINKED["tables"][0], people | {"columns": columns}]})
    assert Table.from_source(contract, contract.tables[1]).canonical(["customer"]) == ("person",)
    joined = [LINKED["columns"][0] | {"sources": ["contract_no", "no"]}, *LINKED["columns"][1:]]
    assert issues(LINKED | {"columns": joined}) == [("columns[0].sources", "not_applicable")]


def test_the_target_is_followed_through_the_join() -> None:
    contract = Contract.model_validate(LINKED)
    loans, people = (Table.from_source(contract, table, needs_target=True) for table in contract.tables)
    assert loans.missing_required(frozenset({"contract_no", "signed"})) == {"paid_back": frozenset({"paid_back"})}
    assert people.in_file == frozenset()
    assert Table.from_source(contract, contract.tables[0]).in_file == frozenset()
    assert columns_behind("SELECT no FROM this WHERE", "no", {}) == frozenset()
    assert columns_behind("SELECT a FROM t", "b", {"t": ["a"]}) == frozenset()
