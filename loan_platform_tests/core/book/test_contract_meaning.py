"""A well-formed contract that cannot be meant so, or whose SQL does not run."""

from pathlib import Path

import pytest

from loan_platform.core.checking.book_check import check_book
from loan_platform_tests.support.planted import Planted, assert_only_issue, book_in, edited, ids, line_of, place

CASES = [
    Planted(
        "entity_key: contract_no",
        "entity_key: contract_nr",
        "entity_key:",
        "entity_key",
        "unknown_column",
        ("'contract_nr'", "'contract_no'"),
    ),
    Planted(
        "entity_key:",
        "event_date: sex\nentity_key:",
        "event_date",
        "event_date",
        "wrong_type",
        ("'sex'",),
    ),
    Planted(
        "- name: sex\n",
        "- name:  contract_no  # sex\n",
        "- name:  contract_no  # sex",
        "columns[4].name",
        "duplicate_name",
        ("'contract_no'", "0"),
    ),
    Planted(
        "- name: debt_to_salary",
        "- name:  log_salary",
        "- name:  log_salary",
        "features[1].name",
        "duplicate_name",
        ("'log_salary'", "0"),
    ),
    Planted(
        "- name: sex\n",
        "- name: score\n",
        "- name: score",
        "columns[4].name",
        "reserved_name",
        ("'score'",),
    ),
    Planted(
        "- name: log_salary",
        "- name:  contract_no",
        "- name:  contract_no",
        "features[0].name",
        "reserved_name",
        ("'contract_no'",),
    ),
    Planted(
        "  minimum: 0",
        "  minimum: 9\n  maximum: 5",
        "minimum",
        "columns[1].minimum",
        "wrong_order",
        ("9", "5"),
    ),
    Planted(
        "  protected: true",
        "  minimum: 5",
        "minimum: 5",
        "columns[4].minimum",
        "not_applicable",
        ("'sex'",),
    ),
    Planted(
        "  minimum: 0",
        "  max_length: 5",
        "max_length: 5",
        "columns[1].max_length",
        "not_applicable",
        ("text", "allowed"),
    ),
    Planted(
        "  minimum: 0",
        "  allowed: [a]",
        "allowed: [a]",
        "columns[1].allowed",
        "not_applicable",
        ("'salary'",),
    ),
    Planted(
        "  - south",
        "  - ' North'",
        "' North'",
        "columns[3].allowed[1]",
        "duplicate_category",
        ("' North'", "'north'"),
    ),
    Planted(
        """CASE "Paid back" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END""",
        "'0'",
        "sql: '0'",
        "target.sql",
        "constant",
    ),
    Planted(
        "WHEN 'yes' THEN 0 END",
        "WHEN 'yes' THEN 0",
        "Paid back",
        "target.sql",
        "invalid_sql",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: debt / (salry + 1)",
        "salry",
        "features[1].sql",
        "unknown_column",
        ("'debt_to_salary'", "'salry'", "'salary'"),
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: '\"Debts?\" + salary'",
        'Debts?" +',
        "features[1].sql",
        "unknown_column",
        ("'debt_to_salary'", "'debts?'", "'debt'"),
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: length(sex)",
        "length(sex)",
        "features[1].sql",
        "protected_column",
        ("'debt_to_salary'", "'sex'"),
    ),
    Planted(
        "  unit: EUR\n- name: region",
        "  available_at: after_origination\n- name: region",
        "sql: debt",
        "features[1].sql",
        "leak",
        ("'debt_to_salary'", "'debt'"),
    ),
    Planted(
        "features:\n",
        "forbidden_features: [debt]\nfeatures:\n",
        "sql: debt",
        "features[1].sql",
        "forbidden_column",
        ("'debt_to_salary'", "'debt'"),
    ),
    Planted(
        "features:\n",
        "forbidden_features: [debts]\nfeatures:\n",
        "forbidden_features",
        "forbidden_features[0]",
        "unknown_column",
        ("'debts'", "'debt'"),
    ),
    Planted(
        "features:\n",
        "exposure:\n  sql: dept  # stake\n  description: Debt.\nfeatures:\n",
        "# stake",
        "exposure.sql",
        "unknown_column",
        ("'dept'", "'debt'"),
    ),
    Planted(
        "features:\n",
        "exposure:\n  sql: lower(region)  # stake\n  description: Debt.\nfeatures:\n",
        "# stake",
        "exposure.sql",
        "wrong_type",
    ),
    Planted(
        "  kind: category",
        "  kind: category\n  monotone: increasing  # here",
        "monotone: increasing  # here",
        "features[2].monotone",
        "not_applicable",
    ),
    Planted(
        "  monotone: increasing\n  when_undefined: highest_risk",
        "  monotone: increasing  # silent",
        "# silent",
        "features[1].monotone",
        "undefined_not_stated",
        ("'debt_to_salary'", "(salary + 1)", "`when_undefined: highest_risk`"),
    ),
    Planted(
        "reason: The salary is low.",
        "reason: The gross_salary is low.",
        "gross_salary",
        "features[0].reason",
        "no_plain_text",
        ("'gross_salary'",),
    ),
    Planted(
        "  monotone: increasing\n  when_undefined: highest_risk",
        "  missing_means: no debt_amount  # told\n  monotone: increasing\n  when_undefined: highest_risk",
        "# told",
        "features[1].missing_means",
        "no_plain_text",
        ("'debt_amount'",),
    ),
    Planted(
        "when_undefined: highest_risk",
        "when_undefined: largest",
        "when_undefined:",
        "features[1].when_undefined",
        "not_applicable",
    ),
    Planted(
        "  monotone: increasing\n  when_undefined: highest_risk",
        "  when_undefined: highest_risk  # no direction",
        "# no direction",
        "features[1].when_undefined",
        "not_applicable",
    ),
    Planted(
        "  kind: category",
        "  kind: category\n  when_undefined: largest",
        "when_undefined: largest",
        "features[2].when_undefined",
        "not_applicable",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: debt / AVG(salary)",
        "AVG",
        "features[1].sql",
        "reads_other_rows",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: RANK() OVER (ORDER BY debt)",
        "RANK",
        "features[1].sql",
        "reads_other_rows",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: no_such(debt)",
        "no_such",
        "features[1].sql",
        "invalid_sql",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: CASE WHEN debt > 5 THEN 'a' ELSE 'b' END",
        "CASE WHEN",
        "features[1].sql",
        "wrong_type",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: 1 + 1",
        "1 + 1",
        "features[1].sql",
        "constant",
        ("'debt_to_salary'",),
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: debt FROM loans",
        "FROM loans",
        "features[1].sql",
        "invalid_sql",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_the_mistake_is_told_with_its_line(tmp_path: Path, case: Planted) -> None:
    assert_only_issue(book_in(tmp_path), "contract.yaml", case)


def test_an_exposure_is_known_when_the_applicant_asks(tmp_path: Path) -> None:
    folder = book_in(tmp_path)
    exposure = ("features:\n", "exposure:\n  sql: debt  # stake\n  description: Debt.\nfeatures:\n")
    text = edited(
        folder, "contract.yaml", exposure, ("  unit: EUR\n- name: region", "  available_at: pricing\n- name: region")
    )
    (issue,) = check_book(folder).issues
    assert (*place(issue), issue.code) == ("contract.yaml", line_of(text, "# stake"), "exposure.sql", "leak")
    assert "'debt'" in issue.message
