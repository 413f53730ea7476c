import json
import logging
import re
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.reports.great_expectations import run_quality
from loan_platform.adapters.reports.quality_page import quality_html
from loan_platform.core.book.contract import Contract
from loan_platform.core.staging.rules import QualityResult, expectations_for

CANARY = "CANARY-4711"
ROWS = 400

CONTRACT = Contract.model_validate(
    {
        "description": "Loans.",
        "entity_key": "key",
        "event_date": "decided_on",
        "columns": [
            {"name": "key", "description": "Key.", "type": "text", "required": True},
            {"name": "decided_on", "description": "Date.", "type": "date", "required": True},
            {"name": "first_credit", "description": "Date.", "type": "date", "severity": "warning"},
            {
                "name": "income",
                "description": "<b>Income</b>.",
                "type": "number",
                "required": True,
                "minimum": 0,
            },
            {"name": "term", "description": "Months.", "type": "integer", "minimum": 12, "maximum": 60},
            {"name": "title", "description": "Text.", "type": "text", "max_missing": 0.25},
            {
                "name": "purpose",
                "description": "Purpose.",
                "type": "text",
                "allowed": ["car", "house & home"],
            },
            {"name": "joint", "description": "Joint.", "type": "boolean", "max_missing": 0.9},
        ],
        "target": {"sql": "y", "description": "Default."},
        "features": [{"name": "f", "sql": "income", "description": "Income.", "reason": "Low income."}],
    }
)
RULES = expectations_for(CONTRACT)


def loans() -> pl.DataFrame:
    first = date(2015, 1, 1)
    return pl.DataFrame(
        {
            "key": [f"{CANARY}-{i}" for i in range(ROWS)],
            "decided_on": [first + timedelta(days=i) for i in range(ROWS)],
            "first_credit": [None if i % 7 == 0 else date(1999, 3, 1) for i in range(ROWS)],
            "income": [float(i) for i in range(ROWS)],
            "term": [None if i % 3 == 0 else 36 for i in range(ROWS)],
            "title": [None if i % 5 == 0 else f"{CANARY} {i}" for i in range(ROWS)],
            "purpose": [None if i % 2 else "house & home" for i in range(ROWS)],
            "joint": [None if i % 4 else True for i in range(ROWS)],
        }
    )


def check(frame: pl.DataFrame, folder: Path, absent: tuple[str, ...] = ()) -> QualityResult:
    frame.write_parquet(folder / "loans.parquet")
    return run_quality(folder / "loans.parquet", RULES, absent)


def failed(result: QualityResult) -> dict[str, int]:
    return {o.rule.name: o.unexpected_count for o in result.outcomes if not o.success}


def planted() -> pl.DataFrame:
    """Rows 10 to 12 break every rule of a column."""
    bad = pl.int_range(pl.len()).is_between(10, 12)
    return loans().with_columns(
        key=pl.when(bad).then(pl.lit(f"{CANARY}-10")).otherwise("key"),
        first_credit=pl.when(bad).then(pl.lit(date(2068, 1, 1))).otherwise("first_credit"),
        income=pl.when(bad).then(-987654.25).otherwise("income"),
        term=pl.when(bad).then(61).otherwise("term"),
        title=pl.when(pl.int_range(pl.len()) < 200).then(None).otherwise("title"),
        purpose=pl.when(bad).then(pl.lit(CANARY)).otherwise("purpose"),
    )


def test_sound_rows_pass_every_rule(tmp_path: Path) -> None:
    result = check(loans(), tmp_path)
    assert failed(result) == {}
    assert [o.rule for o in result.outcomes] == list(RULES)
    counts = {o.rule.name: (o.element_count, o.unexpected_count) for o in result.outcomes}
    assert counts["title_missing_share"] == (ROWS, 80)
    assert counts["joint_missing_share"] == (ROWS, 300)
    assert counts["term_between"] == (ROWS, 0)


def test_each_planted_violation_is_found_by_its_rule(tmp_path: Path) -> None:
    result = check(planted(), tmp_path)
    assert failed(result) == {
        "key_unique": 3,
        "first_credit_not_after_decided_on": 3,
        "income_between": 3,
        "term_between": 3,
        "title_missing_share": 240,
        "purpose_in_set": 3,
    }
    assert [o.rule.name for o in result.failed("warning")] == ["first_credit_not_after_decided_on"]


def test_a_required_value_that_is_missing_is_found(tmp_path: Path) -> None:
    frame = loans().with_columns(income=pl.when(pl.col("income") == 7).then(None).otherwise("income"))
    assert failed(check(frame, tmp_path)) == {"income_not_null": 1}


def test_an_empty_table_and_a_lost_column_are_found(tmp_path: Path) -> None:
    empty = check(loans().clear(), tmp_path)
    assert failed(empty) == {"has_rows": 0}
    lost = check(loans().drop("term"), tmp_path)
    assert set(failed(lost)) == {"columns_present", "term_between"}
    assert next(o.note for o in lost.outcomes if o.rule.name == "columns_present") == "term"


def test_rules_of_a_column_that_the_source_lacks_are_skipped(tmp_path: Path) -> None:
    frame = loans().with_columns(title=pl.lit(None, pl.String), first_credit=pl.lit(None, pl.Date))
    assert "title_missing_share" in failed(check(frame, tmp_path))
    result = check(frame, tmp_path, absent=("title", "first_credit"))
    assert failed(result) == {"optional_columns_in_source": 0}
    assert [o.rule.name for o in result.skipped] == [
        "first_credit_not_after_decided_on",
        "title_missing_share",
    ]
    assert result.outcomes[2].note == "not in the source: first_credit, title"


def test_a_type_that_cannot_be_compared_fails_the_rule(tmp_path: Path) -> None:
    frame = loans().with_columns(income=pl.lit(CANARY))
    result = check(frame, tmp_path)
    assert failed(result) == {"income_between": ROWS}
    assert CANARY not in result.to_json()


def test_no_value_of_a_row_leaves_the_engine(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    result = check(planted(), tmp_path)
    captured = capfd.readouterr()
    for text in (result.to_json(), quality_html(result, "Loans"), captured.out, captured.err, caplog.text):
        assert CANARY not in text
        assert "987654" not in text
    assert captured.err == ""


def test_the_result_is_the_same_twice(tmp_path: Path) -> None:
    one, two = (check(planted(), tmp_path).to_json() for _ in range(2))
    assert one == two
    assert json.loads(one)["failed_critical"] == 5


def test_a_directory_of_files_is_one_table(tmp_path: Path) -> None:
    for i, part in enumerate(loans().iter_slices(150)):
        part.write_parquet(tmp_path / f"{i}.parquet")
    result = run_quality(tmp_path, RULES)
    assert (result.rows, failed(result)) == (ROWS, {})


def test_the_page_opens_offline_and_shows_failures_first(tmp_path: Path) -> None:
    page = quality_html(check(planted(), tmp_path), "Loans <of> a book")
    assert "<title>Loans &lt;of&gt; a book</title>" in page
    assert "Blocked: 5 critical rules failed." in page
    assert not re.search(r"https?:|src=|href=|@import|url\(", page)
    states = re.findall(r'class="status (\w+)"', page)
    assert states == ["failed"] * 5 + ["warning"] + ["passed"] * (len(RULES) - 6)


def test_row_rules_are_counted_by_severity(tmp_path: Path) -> None:
    said = {"message": "the income is too small for the term"}
    rules = [
        {"name": "income_for_term", "sql": "income >= term / 2", **said},
        {"name": "dates_in_order", "sql": "first_credit <= decided_on", "severity": "warning", **said},
    ]
    contract = Contract.model_validate({**CONTRACT.model_dump(), "row_rules": rules})
    planted().write_parquet(tmp_path / "loans.parquet")
    expected = [rule for rule in expectations_for(contract) if rule.kind == "row_rule"]
    found = run_quality(tmp_path / "loans.parquet", expected)
    # Incomes of 0 to 17 are below 18; a missing term breaks nothing. The planted rows have income -987,654.25.
    assert [(o.rule.name, o.unexpected_count) for o in found.outcomes] == [
        ("row_rule_income_for_term", 13),
        ("row_rule_dates_in_order", 3),
    ]
    assert [len(found.failed(severity)) for severity in ("critical", "warning")] == [1, 1]
    assert CANARY not in found.to_json()
