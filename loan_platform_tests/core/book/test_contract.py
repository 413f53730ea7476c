"""A contract refuses what would make a model wrong, and says where."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from loan_platform.core.book.book_errors import ContractError
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.checking.contract_check import load_contract
from loan_platform.core.errors import Issue


def contract(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "description": "A small book.",
        "entity_key": "loan",
        "columns": [
            {"name": "loan", "type": "text", "description": "Key.", "required": True},
            {"name": "income", "type": "number", "description": "Income.", "minimum": 0},
            {"name": "rate", "type": "percent", "description": "Rate.", "available_at": "pricing"},
            {"name": "paid", "type": "number", "description": "Paid.", "available_at": "after_origination"},
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


def issues(tmp_path: Path, data: Any) -> tuple[Issue, ...]:
    with pytest.raises(ContractError) as caught:
        load_contract(written(tmp_path, data))
    assert str(caught.value).splitlines() == [str(issue) for issue in caught.value.issues]
    return caught.value.issues


def test_a_sound_contract_loads(tmp_path: Path) -> None:
    loaded = load_contract(written(tmp_path, contract()))
    assert loaded.by_name["income"].raw_columns == {"income"}
    assert [c.name for c in loaded.application_columns(use_pricing=False)] == ["income"]


@pytest.mark.parametrize(
    ("sql", "code", "text"),
    [
        ("paid / income", "leak", "'paid'"),
        ("length(sex)", "protected_column", "'sex'"),
        ("incme", "unknown_column", "Did you mean 'income'?"),
        ("1 + 1", "constant", "'f'"),
        ("income /", "invalid_sql", "not an SQL expression"),
        ("income from loans", "invalid_sql", "not a query"),
        ("income where rate > 1", "invalid_sql", "not a query"),
        ("(select max(income) from loans)", "invalid_sql", "not a query"),
    ],
)
def test_a_feature_that_may_not_be_is_an_issue(tmp_path: Path, sql: str, code: str, text: str) -> None:
    (issue,) = issues(tmp_path, contract(features=[feature("f", sql)]))
    assert (issue.path, issue.code) == ("features[0].sql", code)
    assert text in issue.detail


def test_forbidden_columns_are_refused(tmp_path: Path) -> None:
    (issue,) = issues(tmp_path, contract(forbidden_features=["income"]))
    assert (issue.path, issue.code) == ("features[0].sql", "forbidden_column")
    assert "'income'" in issue.message


@pytest.mark.parametrize(
    ("column", "key", "code", "text"),
    [
        ({"type": "date", "decimal": ","}, "decimal", "not_applicable", "'x' is date"),
        ({"type": "text", "date_format": "%Y"}, "date_format", "not_applicable", "'x' is text"),
        ({"type": "date", "date_format": "%d.%q.%Y"}, "date_format", "invalid_date_format", "%q"),
        ({"type": "date", "date_format": "%d.%m"}, "date_format", "invalid_date_format", "%Y or %y"),
        ({"type": "date", "date_format": "%m.%Y%"}, "date_format", "invalid_date_format", "% is"),
        ({"type": "number", "decimal": "."}, "decimal", "wrong_value", "'.'"),
    ],
)
def test_a_format_of_another_type_is_an_issue(
    tmp_path: Path, column: dict[str, str], key: str, code: str, text: str
) -> None:
    data = contract()
    data["columns"].append({"name": "x", "description": "A column.", **column})
    (issue,) = issues(tmp_path, data)
    assert (issue.path, issue.code) == (f"columns[5].{key}", code)
    assert text in issue.message


def test_a_feature_needs_a_reason_text(tmp_path: Path) -> None:
    without = feature("f", "income")
    del without["reason"]
    (issue,) = issues(tmp_path, contract(features=[without]))
    assert (issue.path, issue.code) == ("features[0].reason", "missing_key")
    assert str(Feature.model_fields["reason"].description) in issue.hint


def test_duplicate_names_are_an_issue(tmp_path: Path) -> None:
    (issue,) = issues(tmp_path, contract(features=[feature("f", "income"), feature("f", "income + 1")]))
    assert (issue.path, issue.code) == ("features[1].name", "duplicate_name")
    assert "features[0]" in issue.message


def test_unknown_keys_are_refused_with_their_line(tmp_path: Path) -> None:
    data = contract()
    data["columns"][1]["maximun"] = 5
    (issue,) = issues(tmp_path, data)
    line = written(tmp_path, data).read_text().splitlines().index("  maximun: 5") + 1
    assert str(issue).startswith(f"{tmp_path}/contract.yaml:{line}: columns[1].maximun")


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    found = issues(tmp_path, contract(entity_key="lon", features=[feature("f", "paid"), feature("g", "x")]))
    assert [(issue.path, issue.code) for issue in found] == [
        ("entity_key", "unknown_column"),
        ("features[0].sql", "leak"),
        ("features[1].sql", "unknown_column"),
    ]


def test_a_file_that_is_no_yaml_is_told(tmp_path: Path) -> None:
    assert [issue.code for issue in issues(tmp_path, "a: [1")] == ["not_yaml"]


def test_pricing_is_a_setting(tmp_path: Path) -> None:
    data = contract(features=[feature("log_income", "ln(income)"), feature("rate", "rate")])
    loaded = load_contract(written(tmp_path, data))
    assert [f.name for f in loaded.features_for(use_pricing=False)] == ["log_income"]
    assert [f.name for f in loaded.features_for(use_pricing=True)] == ["log_income", "rate"]
