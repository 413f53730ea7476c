"""Row rules in staging: they see the values that an accepted row has, and come after the faults of single values."""

from pathlib import Path

from loan_platform_tests.support.ingest import Ingested, book, ingest, write

RULES = [
    {"name": "rate_for_term", "sql": "rate <= term", "message": "the rate is above the term"},
    {"name": "alone_or_home", "sql": "NOT joint OR home = 'Own'", "message": "two who rent", "severity": "warning"},
]


def staged(folder: Path, *rows: str) -> Ingested:
    return ingest([write(folder / "in.csv", list(rows))], folder / "out", book(row_rules=RULES))


def test_a_broken_rule_is_told_with_its_columns(tmp_path: Path) -> None:
    done = staged(tmp_path, "1,2015-03-01,5,40,36,Own,n,good,x", "2,2015-03-01,5,36,36,Own,n,good,x")
    assert done.reasons == [(2, "rate and term", "row_rule")]
    assert done.quarantined["message"].to_list() == ["rate_for_term: the rate is above the term"]
    assert done.accepted["number"].to_list() == ["2"]


def test_a_missing_or_dropped_value_breaks_no_rule(tmp_path: Path) -> None:
    done = staged(tmp_path, "1,2015-03-01,5,,36,Own,n,good,x", "2,2015-03-01,5,150,36,Own,n,good,x")
    assert done.staged.accepted == 2
    assert done.staged.nulled == {("rate", "out_of_range"): 1}


def test_an_invalid_value_is_told_before_a_broken_rule(tmp_path: Path) -> None:
    done = staged(tmp_path, "1,2015-03-01,-5,40,36,Own,n,good,x")
    assert done.reasons == [(2, "income", "out_of_range")]
    assert done.quarantined["faults"].list.len().to_list() == [1]


def test_a_broken_warning_keeps_the_row_and_is_counted(tmp_path: Path) -> None:
    done = staged(tmp_path, "1,2015-03-01,5,4,36,Rent,y,good,x", "2,2015-03-01,5,4,36,Own,y,good,x")
    assert (done.staged.accepted, done.staged.rule_warnings) == (2, {"alone_or_home": 1})


def test_outcomes_have_no_row_rules(tmp_path: Path) -> None:
    files = [write(tmp_path / "in.csv", ["1,2015-03-01,5,40,36,Own,n,good,x"])]
    assert ingest(files, tmp_path / "out", book(row_rules=RULES), outcomes=True).staged.accepted == 1
