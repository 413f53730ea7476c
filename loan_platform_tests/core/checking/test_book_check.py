"""Every issue in the two files of a book is told in one go."""

from collections.abc import Callable
from pathlib import Path

import pytest

from loan_platform.core.book.book_errors import ContractError
from loan_platform.core.checking.book_check import check_book, load_book, other_component
from loan_platform_tests.support.planted import book_in, edited, line_of, place, told


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return book_in(tmp_path)


def test_a_sound_book_is_a_portfolio(book: Path) -> None:
    found = check_book(book)
    assert found.issues == ()
    assert found.portfolio == load_book(book)
    assert load_book(book).name == "car_loans"


def test_all_mistakes_of_both_files_are_told_in_one_go(book: Path) -> None:
    contract = edited(
        book,
        "contract.yaml",
        ("  type: number", "  type: nmber"),
        ("  minimum: 0", "  minimun: '0'"),
        ("ln(salary + 1)", "ln(salry + 1)"),
        ("debt / (salary + 1)", "no_such(debt)"),
        ("features:\n", "entity_key: contract_no  # again\nfeatures:\n"),
    )
    defs = edited(book, "defs.yaml", ("kind: hash", "kind: out_of_time"), ("folds: 2", "folds: 1\n    folds: 20"))
    places = [place(issue) for issue in check_book(book).issues]
    assert places == [
        ("defs.yaml", line_of(defs, "kind: out_of_time"), "attributes.split.kind"),
        ("defs.yaml", line_of(defs, "folds: 20"), "attributes.split.folds"),
        ("defs.yaml", line_of(defs, "folds: 20"), "attributes.split.folds"),
        ("contract.yaml", line_of(contract, "nmber"), "columns[1].type"),
        ("contract.yaml", line_of(contract, "minimun"), "columns[1].minimun"),
        ("contract.yaml", line_of(contract, "minimun"), "columns[1].minimun"),
        ("contract.yaml", line_of(contract, "again"), "entity_key"),
        ("contract.yaml", line_of(contract, "salry"), "features[0].sql"),
        ("contract.yaml", line_of(contract, "no_such"), "features[1].sql"),
    ]


def test_one_mistake_brings_no_others_with_it(book: Path) -> None:
    """A column without a name is one issue, not one for each feature that reads it."""
    edited(book, "contract.yaml", ("- name: salary\n  description", "- description"))
    assert [issue.path for issue in check_book(book).issues] == ["columns[1].name"]


def test_a_lost_part_does_not_hide_what_is_beside_it(book: Path) -> None:
    edited(book, "defs.yaml", ("  split:\n    kind: hash\n    folds: 2", "  split: 5"), ("    loans:", "    loan:"))
    edited(book, "defs.yaml", ("every: none", "every: weekly"))
    assert [issue.path for issue in check_book(book).issues] == [
        "attributes.sources.loan",
        "attributes.split",
        "attributes.partitions.every",
    ]


def test_a_file_that_does_not_parse_does_not_hide_the_other(book: Path) -> None:
    edited(book, "contract.yaml", ("features:", "features: ["))
    edited(book, "defs.yaml", ("folds: 2", "folds: 1"))
    assert [place(issue)[0] for issue in check_book(book).issues] == ["defs.yaml", "contract.yaml"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda book: (book / "contract.yaml").unlink(),
            "contract.yaml: does not exist. Write it, or correct its name.",
        ),
        (lambda book: (book / "defs.yaml").unlink(), "defs.yaml: does not exist. Write it, or correct its name."),
        (
            lambda book: (book / "contract.yaml").write_text(""),
            "contract.yaml:1: is nothing (null), not a map of keys.",
        ),
        (lambda book: (book / "contract.yaml").write_text("- a\n"), "contract.yaml:1: is a list, not a map of keys."),
        (
            lambda book: (book / "defs.yaml").write_text("type: &x [*x]\n"),
            "defs.yaml:1: `*x` stands for itself.",
        ),
    ],
)
def test_a_file_without_a_book(book: Path, change: Callable[[Path], object], text: str) -> None:
    change(book)
    assert text in "\n".join(told(book))


def test_the_name_of_the_folder_is_the_name_of_the_book(book: Path) -> None:
    renamed = book.rename(book.with_name("Car Loans"))
    (issue,) = check_book(renamed).issues
    assert (*place(issue), issue.code) == ("defs.yaml", 1, "", "invalid_name")
    assert "'Car Loans'" in issue.message


def test_another_contract_file(book: Path) -> None:
    (book / "contract.yaml").rename(book / "cars.yaml")
    edited(book, "defs.yaml", ("attributes:\n", "attributes:\n  contract: cars.yaml\n"))
    assert told(book) == []


def test_loading_tells_the_same(book: Path) -> None:
    edited(book, "contract.yaml", ("minimum: 0", "minimun: 0"))
    with pytest.raises(ContractError) as caught:
        load_book(book)
    assert str(caught.value).splitlines() == told(book)


@pytest.mark.parametrize(
    ("kind", "other"),
    [
        ("dagster_dbt.DbtProjectComponent", "dagster_dbt.DbtProjectComponent"),
        ("loan_platform.assets.loan_portfolio.LoanPortfollio", None),
        ("loan_platfrm.assets.loan_portfolio.LoanPortfolio", None),
        ("LoanPortfolio", None),
    ],
)
def test_other_components_are_left_alone(book: Path, kind: str, other: str | None) -> None:
    edited(book, "defs.yaml", ("loan_platform.assets.loan_portfolio.LoanPortfolio", kind))
    assert other_component(book) == other
