"""Mistakes in row rules are told by `check`, with line and key path."""

from pathlib import Path

import pytest

from loan_platform.adapters.book_check.rule_check import engine_issues
from loan_platform.adapters.book_check.sources_check import check_sources
from loan_platform.cli.books import book_folder
from loan_platform.core.checking.book_check import check_book
from loan_platform.core.checking.contract_check import load_contract
from loan_platform_tests.support.planted import book_in, edited, line_of

# SQL of a rule, and the code of the issue.
MISTAKES = {
    "debt <=": "invalid_sql",
    "debt <= salry": "unknown_column",
    "sex = 'male'": "protected_column",
    "1 = 1": "constant",
    "debt <= max(salary)": "reads_other_rows",
    "debt - salary": "wrong_type",
    "no_such(debt) < salary": "invalid_sql",
    "debt <= rate": "not_at_application",
    "regexp_like(region, '^n')": "engines_differ",
    "debt // 2 >= 0": "engines_differ",
    "debt % 2 = 0": "engines_differ",
    "CAST(debt AS INTEGER) = 2": "engines_differ",
    "ROUND(debt) <= salary": "engines_differ",
}
RULE = "row_rules:\n- name: debt_is_sane\n  sql: {sql}\n  message: the debts are too high\nfeatures:\n"
RATE = "columns:\n- name: rate\n  description: Rate.\n  type: percent\n  available_at: pricing\n"


@pytest.mark.parametrize("sql", MISTAKES)
def test_a_mistake_in_a_rule_is_told_with_its_line(sql: str, tmp_path: Path) -> None:
    book = book_in(tmp_path)
    quoted = '"' + sql + '"'
    text = edited(book, "contract.yaml", ("columns:\n", RATE), ("features:\n", RULE.format(sql=quoted)))
    check = check_book(book)
    issues = [*check.issues, *check_sources(check, tmp_path / "home", {}, "car_loans").issues]
    assert [(issue.line, issue.path, issue.code) for issue in issues] == [
        (line_of(text, quoted), "row_rules[0].sql", MISTAKES[sql])
    ]


def test_two_rules_need_two_names(tmp_path: Path) -> None:
    book = book_in(tmp_path)
    twice = RULE.format(sql="debt <= salary").removesuffix("features:\n")
    edited(book, "contract.yaml", ("features:\n", twice + twice.removeprefix("row_rules:\n") + "features:\n"))
    assert [(i.path, i.code) for i in check_book(book).issues] == [("row_rules[1].name", "duplicate_name")]


@pytest.mark.parametrize("book", ["bank_customers", "credit_cards", "lending_club", "retail_loans"])
def test_both_engines_agree_on_the_rules_of_shipped_books(book: str) -> None:
    contract = load_contract(book_folder(book) / "contract.yaml")
    assert list(engine_issues(contract, ())) == []
