"""Keys with a new name: files with the old one load as before, and the check notes it once per file."""

from pathlib import Path

import pytest

from loan_platform.core.book.decision_policies import DecisionPolicy, ScorecardPolicy
from loan_platform.core.book.parts.columns import Column
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.checking.book_check import check_book, load_book
from loan_platform.core.checking.json_schemas import MODELS, schema_text
from loan_platform.core.checking.model_fields import old_keys
from loan_platform_tests.support.planted import book_in, edited, line_of, place

RENAMED = {"known", "cause", "every_file", "double", "give_up"}


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return book_in(tmp_path)


def with_old_keys(book: Path) -> tuple[str, str]:
    """Give both files old keys; their texts."""
    contract = edited(
        book,
        "contract.yaml",
        ("  unit: EUR\n- name: region", "  unit: EUR\n  known: application\n  every_file: true\n- name: region"),
        ("  reason: The salary is low.", "  reason: The salary is low.\n  cause: income"),
        ("  protected: true", "  protected: true\n  known: after_origination  # later"),
    )
    decision = "  scorecard:\n    double: 25\n  decision:\n    give_up: 0.03\n    margin: 0.3\n  partitions:"
    defs = edited(
        book,
        "defs.yaml",
        ("  training:\n", "  training:\n    margin: 0.002  # here\n"),
        ("  partitions:", decision),
    )
    return defs, contract


def test_old_keys_mean_what_the_new_ones_mean(book: Path) -> None:
    with_old_keys(book)
    loaded = load_book(book)
    columns = loaded.contract.by_name
    assert (columns["debt"].available_at, columns["debt"].required_in_file) == ("application", True)
    assert columns["sex"].available_at == "after_origination"
    assert loaded.contract.features[0].reason_group == "income"
    assert loaded.training.min_auc_gain_over_scorecard == 0.002
    assert loaded.scorecard == ScorecardPolicy(points_to_double_odds=25)
    assert loaded.decision == DecisionPolicy(profit_tolerance=0.03, margin=0.3)


def test_a_file_with_old_keys_has_one_note(book: Path) -> None:
    defs, contract = with_old_keys(book)
    found = check_book(book)
    assert found.issues == ()
    assert [(*place(note), note.code) for note in found.notes] == [
        ("defs.yaml", line_of(defs, "# here"), "attributes.training.margin", "old_key"),
        ("contract.yaml", line_of(contract, "known: application"), "columns[2].known", "old_key"),
    ]
    of_defs, of_contract = (note.message for note in found.notes)
    assert all(f"{old} is now " in of_defs for old in ("margin", "double", "give_up"))
    assert all(f"{old} is now " in of_contract for old in ("known", "every_file", "cause"))


def test_new_keys_have_no_note(book: Path) -> None:
    assert check_book(book).notes == ()


def test_an_old_key_beside_its_new_one_is_an_issue(book: Path) -> None:
    text = edited(book, "contract.yaml", ("  protected: true", "  known: pricing  # old\n  available_at: pricing"))
    (issue,) = check_book(book).issues
    assert place(issue) == ("contract.yaml", line_of(text, "# old"), "columns[4].known")
    assert issue.code == "old_and_new_key"


def test_a_wrong_value_of_an_old_key_has_its_line(book: Path) -> None:
    text = edited(book, "contract.yaml", ("  protected: true", "  known: later"))
    (issue,) = check_book(book).issues
    assert (place(issue), issue.code) == (("contract.yaml", line_of(text, "later"), "columns[4].known"), "wrong_value")


def test_a_misspelt_old_key_gets_the_new_one_as_hint(book: Path) -> None:
    edited(book, "contract.yaml", ("  protected: true", "  knwon: pricing"))
    (issue,) = check_book(book).issues
    assert issue.hint == "Did you mean 'available_at'?"


def test_schemas_have_only_the_new_names() -> None:
    models = (Column, Feature, ScorecardPolicy, DecisionPolicy)
    assert {old for model in models for old in old_keys(model)} == RENAMED
    for file in MODELS:
        assert [old for old in RENAMED if f'"{old}":' in schema_text(file)] == []
