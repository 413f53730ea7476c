"""A contract refuses what would make a model wrong, and says where."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from loan_platform.core.book.book_errors import ContractError
from loan_platform.core.checking.contract_check import load_contract


def contract(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "description": "A small book.",
        "entity_key": "loan",
        "columns": [
            {"name": "loan", "type": "text", "description": "Key.", "required": True},
            {"name": "income", "type": "number", "description": "Income.", "minimum": 0},
            {"name": "rate", "type": "percent", "description": "Rate.", "known": "pricing"},
            {"name": "paid", "type": "number", "description": "Paid.", "known": "after_origination"},
            {"name": "sex", "type": "text", "description": "Sex.", "protected": True},
        ],
        "target": {"sql": "CASE status WHEN 'bad' THEN 1 WHEN 'good' THEN 0 END", "description": "Bad."},
        "features": [feature("log_income", "ln(income)")],
    }
    return base | changes


def feature(name: str, sql: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "sql": sql, "description": "A feature.", "reason": "Income is low."} | more


def written(tmp_path: Path, data: Any) -> Path:
    path = tmp_path / "contract.yaml"
    path.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False))
    return path


def mistakes(tmp_path: Path, data: Any) -> str:
    with pytest.raises(ContractError) as caught:
        load_contract(written(tmp_path, data))
    return str(caught.value)


def test_a_sound_contract_loads(tmp_path: Path) -> None:
    loaded = load_contract(written(tmp_path, contract()))
    assert loaded.by_name["income"].raw_columns == {"income"}
    assert [c.name for c in loaded.application_columns(use_pricing=False)] == ["income"]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("paid / income", "'paid', which is known only after origination (a leak)"),
        ("length(sex)", "the protected column 'sex'"),
        ("incme", "'incme', which is no column. Did you mean 'income'?"),
        ("1 + 1", "feature 'f' reads no column"),
        ("income /", "not an SQL expression"),
        ("income from loans", "must be one SQL expression over the columns, not a query"),
        ("income where rate > 1", "must be one SQL expression over the columns, not a query"),
        ("(select max(income) from loans)", "must be one SQL expression over the columns, not a query"),
    ],
)
def test_a_feature_that_may_not_be_is_refused(tmp_path: Path, sql: str, reason: str) -> None:
    told = mistakes(tmp_path, contract(features=[feature("f", sql)]))
    assert reason in told
    assert "features[0].sql" in told


def test_forbidden_columns_are_refused(tmp_path: Path) -> None:
    told = mistakes(tmp_path, contract(forbidden_features=["income"]))
    assert "feature 'log_income' reads 'income', which forbidden_features excludes" in told


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ({"type": "date", "decimal": ","}, "columns[5].decimal: only a number has a decimal sign, 'x' is date"),
        ({"type": "text", "date_format": "%Y"}, "columns[5].date_format: only a date has a date format, 'x' is text"),
        ({"type": "date", "date_format": "%d.%q.%Y"}, "columns[5].date_format: %q is no part of a date"),
        ({"type": "date", "date_format": "%d.%m"}, "'%d.%m' needs a year (%Y or %y) and a month (%m, %b or %B)"),
        ({"type": "date", "date_format": "%m.%Y%"}, "columns[5].date_format: % is no part of a date"),
        ({"type": "number", "decimal": "."}, "columns[5].decimal: the text '.' is not accepted"),
    ],
)
def test_a_format_of_another_type_is_refused(tmp_path: Path, column: dict[str, str], told: str) -> None:
    data = contract()
    data["columns"].append({"name": "x", "description": "A column.", **column})
    assert told in mistakes(tmp_path, data)


def test_a_feature_needs_a_reason_text(tmp_path: Path) -> None:
    without = feature("f", "income")
    del without["reason"]
    assert "features[0].reason: is missing. Add it. Its meaning: What the applicant is told" in mistakes(
        tmp_path, contract(features=[without])
    )


def test_duplicate_names_are_refused(tmp_path: Path) -> None:
    told = mistakes(tmp_path, contract(features=[feature("f", "income"), feature("f", "income + 1")]))
    assert "features[1].name: the name 'f' is that of features[0] too. Rename one of the two." in told


def test_unknown_keys_are_refused_with_their_line(tmp_path: Path) -> None:
    data = contract()
    data["columns"][1]["maximun"] = 5
    told = mistakes(tmp_path, data)
    line = written(tmp_path, data).read_text().splitlines().index("  maximun: 5") + 1
    assert told.startswith(f"{tmp_path}/contract.yaml:{line}: columns[1].maximun")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    told = mistakes(tmp_path, contract(entity_key="lon", features=[feature("f", "paid"), feature("g", "x")]))
    assert len(told.splitlines()) == 3
    assert "feature 'g' reads 'x', which is no column" in told


def test_a_file_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    assert "cannot be read as YAML" in mistakes(tmp_path, "a: [1")


def test_pricing_is_a_setting(tmp_path: Path) -> None:
    data = contract(features=[feature("log_income", "ln(income)"), feature("rate", "rate")])
    loaded = load_contract(written(tmp_path, data))
    assert [f.name for f in loaded.features_for(use_pricing=False)] == ["log_income"]
    assert [f.name for f in loaded.features_for(use_pricing=True)] == ["log_income", "rate"]
