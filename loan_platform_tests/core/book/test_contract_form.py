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
        "columns[1].minimun: is not a key here. Did you mean 'minimum'?",
    ),
    Planted(
        "  minimum: 0",
        "  entity_key: x",
        "  entity_key: x",
        "columns[1].entity_key: is not a key here. Accepted keys: name (required), description (required), ",
    ),
    Planted(
        "  type: number\n",
        "  type: nmber\n",
        "nmber",
        "columns[1].type: the text 'nmber' is not accepted. Did you mean 'number'? Accepted: number, integer, ",
    ),
    Planted(
        "  minimum: 0",
        "  minimum: '0'",
        "minimum",
        "columns[1].minimum: is the text '0', not a number. Remove the quotes.",
    ),
    Planted(
        "  minimum: 0",
        "  minimum: 1e5",
        "minimum",
        "columns[1].minimum: is the text '1e5', not a number. Without a point and a sign YAML takes it for text",
    ),
    Planted(
        "  minimum: 0",
        "  minimum: 5 %",
        "minimum",
        "columns[1].minimum: is the text '5 %', not a number. Write digits and a point only",
    ),
    Planted(
        "  required: true",
        "  required: 'yes'",
        "required: 'yes'",
        "columns[0].required: is the text 'yes', not true or false. Write true or false, without quotes.",
    ),
    Planted(
        "  - south",
        "  - no  # here",
        "- no  # here",
        "columns[3].allowed[1]: is false, not a text. YAML reads yes, no, on and off as true and false: put the text",
    ),
    Planted(
        "  protected: true",
        "  on_invalid: null",
        "on_invalid",
        'columns[4].on_invalid: is null without quotes, which to YAML is nothing, not "null". Write "null" in quotes.',
    ),
    Planted(
        "  reason: The salary is low.\n",
        "",
        "- name: log_salary",
        "features[0].reason: is missing. Add it. Its meaning: What the applicant is told",
    ),
    Planted(
        "  reason: The salary is low.",
        "  reason: ''",
        "reason: ''",
        "features[0].reason: is empty. Write a text.",
    ),
    Planted(
        "  protected: true",
        "  max_missing: 30",
        "max_missing",
        "columns[4].max_missing: 30 is out of range. Accepted is at least 0 and at most 1. 30 % is 0.3.",
    ),
    Planted(
        "- name: debt\n",
        "- name: Open Debt\n",
        "Open Debt",
        "columns[2].name: 'Open Debt' is not a name. Use small letters, digits and underscores, a letter first",
    ),
    Planted(
        "  allowed:\n  - north\n  - south\n  - west",
        "  allowed: north",
        "allowed: north",
        "columns[3].allowed: is the text 'north', not a list. Begin each item on a line of its own with `- `",
    ),
    Planted(
        TARGET,
        "target: 1",
        "target: 1",
        "target: is the number 1, not a map of keys. Write its keys below it, one on each line and indented: sql (",
    ),
    Planted(
        "target:\n",
        "targett:\n",
        "targett:",
        "targett: is not a key here. Did you mean 'target'?",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_the_mistake_is_told_with_its_line(tmp_path: Path, case: Planted) -> None:
    assert_only_issue(book_in(tmp_path), "contract.yaml", case)
