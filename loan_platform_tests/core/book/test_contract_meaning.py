"""A well-formed contract that cannot be meant so, or whose SQL does not run."""

from pathlib import Path

import pytest

from loan_platform_tests.support.planted import Planted, assert_only_issue, book_in, edited, ids, line_of, told

CASES = [
    Planted(
        "entity_key: contract_no",
        "entity_key: contract_nr",
        "entity_key:",
        "entity_key: names 'contract_nr', which is no column. Did you mean 'contract_no'?",
    ),
    Planted(
        "entity_key:",
        "event_date: sex\nentity_key:",
        "event_date",
        "event_date: column 'sex' is text, so loans have no vintage. Give 'sex' the type date",
    ),
    Planted(
        "- name: sex\n",
        "- name:  contract_no  # sex\n",
        "- name:  contract_no  # sex",
        "columns[4].name: the name 'contract_no' is that of columns[0] too. Rename one of the two.",
    ),
    Planted(
        "- name: debt_to_salary",
        "- name:  log_salary",
        "- name:  log_salary",
        "features[1].name: the name 'log_salary' is that of features[0] too. Rename one of the two.",
    ),
    Planted(
        "- name: sex\n",
        "- name: score\n",
        "- name: score",
        "columns[4].name: 'score' is a name that the platform uses itself. Choose another name.",
    ),
    Planted(
        "- name: log_salary",
        "- name:  contract_no",
        "- name:  contract_no",
        "features[0].name: 'contract_no' is the key, the date or the platform's own. Choose another name.",
    ),
    Planted(
        "  minimum: 0",
        "  minimum: 9\n  maximum: 5",
        "minimum",
        "columns[1].minimum: minimum 9 is above maximum 5, so every value would be refused. Swap them, or correct one.",
    ),
    Planted(
        "  protected: true",
        "  minimum: 5",
        "minimum: 5",
        "columns[4].minimum: a text column has no range. Remove it, or make 'sex' a number.",
    ),
    Planted(
        "  minimum: 0",
        "  allowed: [a]",
        "allowed: [a]",
        "columns[1].allowed: only a text column has categories, 'salary' is number. Remove it, or make the type text.",
    ),
    Planted(
        "  - south",
        "  - ' North'",
        "' North'",
        "columns[3].allowed[1]: ' North' and 'north' are the same category, as case and spacing are ignored. Keep one",
    ),
    Planted(
        """CASE "Paid back" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END""",
        "'0'",
        "sql: '0'",
        "target.sql: reads no column, so every loan has the same outcome and nothing can be learned. Derive it from",
    ),
    Planted(
        "WHEN 'yes' THEN 0 END",
        "WHEN 'yes' THEN 0",
        "Paid back",
        "target.sql: not an SQL expression: Expected END after CASE at ",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: debt / (salry + 1)",
        "salry",
        "features[1].sql: feature 'debt_to_salary' reads 'salry', which is no column. Did you mean 'salary'?",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: '\"Debts?\" + salary'",
        'Debts?" +',
        "features[1].sql: feature 'debt_to_salary' reads 'debts?', which is no column. It is a raw column: the column "
        "made of it is 'debt'.",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: length(sex)",
        "length(sex)",
        "features[1].sql: feature 'debt_to_salary' reads the protected column 'sex'. Remove it: a decision must not",
    ),
    Planted(
        "  unit: EUR\n- name: region",
        "  known: after_origination\n- name: region",
        "sql: debt",
        "features[1].sql: feature 'debt_to_salary' reads 'debt', which is known only after origination (a leak): an "
        "applicant has no such value. Remove it;",
    ),
    Planted(
        "features:\n",
        "forbidden_features: [debt]\nfeatures:\n",
        "sql: debt",
        "features[1].sql: feature 'debt_to_salary' reads 'debt', which forbidden_features excludes. Remove it from one",
    ),
    Planted(
        "features:\n",
        "forbidden_features: [debts]\nfeatures:\n",
        "forbidden_features",
        "forbidden_features[0]: excludes 'debts', which is no column. Did you mean 'debt'?",
    ),
    Planted(
        "features:\n",
        "exposure:\n  sql: dept  # stake\n  description: Debt.\nfeatures:\n",
        "# stake",
        "exposure.sql: the exposure reads 'dept', which is no column. Did you mean 'debt'?",
    ),
    Planted(
        "features:\n",
        "exposure:\n  sql: lower(region)  # stake\n  description: Debt.\nfeatures:\n",
        "# stake",
        "exposure.sql: gives text, not a number.",
    ),
    Planted(
        "  kind: category",
        "  kind: category\n  monotone: increasing  # here",
        "monotone: increasing  # here",
        "features[2].monotone: a category has no direction. Remove it, or make the kind number.",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: debt / AVG(salary)",
        "AVG",
        "features[1].sql: a feature is computed from one row alone, and AVG(salary) looks at others. Compute it from",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: RANK() OVER (ORDER BY debt)",
        "RANK",
        "features[1].sql: a feature is computed from one row alone, and RANK() OVER (ORDER BY debt) looks at others.",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: no_such(debt)",
        "no_such",
        "features[1].sql: Polars, which runs it, refuses it: unsupported function",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: CASE WHEN debt > 5 THEN 'a' ELSE 'b' END",
        "CASE WHEN",
        "features[1].sql: gives text, not a number. Write `kind: category`, or make it a number.",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: 1 + 1",
        "1 + 1",
        "features[1].sql: feature 'debt_to_salary' reads no column, so it is the same for every loan. Compute it from",
    ),
    Planted(
        "sql: debt / (salary + 1)",
        "sql: debt FROM loans",
        "FROM loans",
        "features[1].sql: must be one SQL expression over the columns, not a query. Correct the SQL.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_the_mistake_is_told_with_its_line(tmp_path: Path, case: Planted) -> None:
    assert_only_issue(book_in(tmp_path), "contract.yaml", case)


def test_an_exposure_is_known_when_the_applicant_asks(tmp_path: Path) -> None:
    folder = book_in(tmp_path)
    exposure = ("features:\n", "exposure:\n  sql: debt  # stake\n  description: Debt.\nfeatures:\n")
    text = edited(
        folder, "contract.yaml", exposure, ("  unit: EUR\n- name: region", "  known: pricing\n- name: region")
    )
    assert told(folder) == [
        f"{folder / 'contract.yaml'}:{line_of(text, '# stake')}: exposure.sql: the exposure reads 'debt', which is not "
        "known when an applicant asks for the loan. Compute it "
        "from what the applicant asks for."
    ]
