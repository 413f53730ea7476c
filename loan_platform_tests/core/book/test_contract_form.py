"""Keys, types and values of `contract.yaml`: what is not accepted is told in words, with what is."""

from pathlib import Path

import pytest

from loan_platform_tests.support.planted import Planted, assert_only_issue, book_in, ids

TARGET = """target:
  sql: CASE "Paid back" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END
  description: Not paid back."""
CASES = [
    Planted(
        "  minimum: 0",
        "  minimun: 0",
        "minimun",
        "columns[1].minimun",
        "unknown_key",
        ("'minimum'",),
    ),
    Planted(
        "  minimum: 0",
        "  entity_key: x",
        "  entity_key: x",
        "columns[1].entity_key",
        "unknown_key",
    ),
    Planted(
        "  type: number\n",
        "  type: nmber\n",
        "nmber",
        "columns[1].type",
        "wrong_value",
        ("'nmber'", "'number'"),
    ),
    Planted(
        "  minimum: 0",
        "  minimum: '0'",
        "minimum",
        "columns[1].minimum",
        "wrong_value",
        ("'0'",),
    ),
    Planted(
        "  minimum: 0",
        "  minimum: 1e5",
        "minimum",
        "columns[1].minimum",
        "wrong_value",
        ("'1e5'",),
    ),
    Planted(
        "  minimum: 0",
        "  minimum: 5 %",
        "minimum",
        "columns[1].minimum",
        "wrong_value",
        ("'5 %'",),
    ),
    Planted(
        "  required: true",
        "  required: 'yes'",
        "required: 'yes'",
        "columns[0].required",
        "wrong_value",
        ("'yes'",),
    ),
    Planted(
        "  - south",
        "  - no  # here",
        "- no  # here",
        "columns[3].allowed[1]",
        "wrong_value",
    ),
    Planted(
        "  protected: true",
        "  on_invalid: null",
        "on_invalid",
        "columns[4].on_invalid",
        "wrong_value",
    ),
    Planted(
        "  reason: The salary is low.\n",
        "",
        "- name: log_salary",
        "features[0].reason",
        "missing_key",
    ),
    Planted(
        "  reason: The salary is low.",
        "  reason: ''",
        "reason: ''",
        "features[0].reason",
        "wrong_value",
    ),
    Planted(
        "  protected: true",
        "  max_missing: 30",
        "max_missing",
        "columns[4].max_missing",
        "wrong_value",
        ("30", "0", "1", "0.3"),
    ),
    Planted(
        "- name: debt\n",
        "- name: Open Debt\n",
        "Open Debt",
        "columns[2].name",
        "wrong_value",
        ("'Open Debt'",),
    ),
    Planted(
        "  allowed:\n  - north\n  - south\n  - west",
        "  allowed: north",
        "allowed: north",
        "columns[3].allowed",
        "wrong_value",
        ("'north'",),
    ),
    Planted(
        TARGET,
        "target: 1",
        "target: 1",
        "target",
        "wrong_value",
        ("1",),
    ),
    Planted(
        "target:\n",
        "targett:\n",
        "targett:",
        "targett",
        "unknown_key",
        ("'target'",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_the_mistake_is_told_with_its_line(tmp_path: Path, case: Planted) -> None:
    assert_only_issue(book_in(tmp_path), "contract.yaml", case)
