"""Every mistake in the two files of a book is told in one go, with file, line, what is wrong and how to mend it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from loan_platform.core.book_check import check_book, load_book, other_component
from loan_platform.core.mistakes import ContractError
from loan_platform_tests.books import write_project

Edit = tuple[str, str]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return write_project(tmp_path) / "small_bank" / "defs" / "car_loans"


def edited(folder: Path, file: str, *edits: Edit) -> str:
    """Replace pieces of a file, each found exactly once or at its first place."""
    path = folder / file
    text = path.read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    path.write_text(text)
    return text


def line_of(text: str, piece: str) -> int:
    (line,) = [i for i, line in enumerate(text.splitlines(), 1) if piece in line]
    return line


def told(folder: Path) -> list[str]:
    return [str(mistake) for mistake in check_book(folder).mistakes]


def test_a_sound_book_is_a_portfolio(book: Path) -> None:
    found = check_book(book)
    assert found.mistakes == ()
    assert found.portfolio == load_book(book)
    assert load_book(book).name == "car_loans"


SCHEMA: list[tuple[Edit, str, str]] = [
    # edit of contract.yaml, piece of the line that is blamed, what is told after the line number
    (
        ("  minimum: 0", "  minimun: 0"),
        "minimun",
        "columns[1].minimun: is not a key here. Did you mean 'minimum'?",
    ),
    (
        ("  minimum: 0", "  entity_key: x"),
        "  entity_key: x",
        "columns[1].entity_key: is not a key here. Accepted keys: name (required), description (required), ",
    ),
    (
        ("  type: number\n", "  type: nmber\n"),
        "nmber",
        "columns[1].type: the text 'nmber' is not accepted. Did you mean 'number'? Accepted: number, integer, ",
    ),
    (
        ("  minimum: 0", "  minimum: '0'"),
        "minimum",
        "columns[1].minimum: is the text '0', not a number. Remove the quotes.",
    ),
    (
        ("  minimum: 0", "  minimum: 1e5"),
        "minimum",
        "columns[1].minimum: is the text '1e5', not a number. Without a point and a sign YAML takes it for text",
    ),
    (
        ("  minimum: 0", "  minimum: 5 %"),
        "minimum",
        "columns[1].minimum: is the text '5 %', not a number. Write digits and a point only",
    ),
    (
        ("  required: true", "  required: 'yes'"),
        "required: 'yes'",
        "columns[0].required: is the text 'yes', not true or false. Write true or false, without quotes.",
    ),
    (
        ("  - south", "  - no  # here"),
        "- no  # here",
        "columns[3].allowed[1]: is false, not a text. YAML reads yes, no, on and off as true and false: put the text",
    ),
    (
        ("  protected: true", "  on_invalid: null"),
        "on_invalid",
        'columns[4].on_invalid: is null without quotes, which to YAML is nothing, not "null". Write "null" in quotes.',
    ),
    (
        ("  reason: The salary is low.\n", ""),
        "- name: log_salary",
        "features[0].reason: is missing. Add it. Its meaning: What the applicant is told",
    ),
    (
        ("  reason: The salary is low.", "  reason: ''"),
        "reason: ''",
        "features[0].reason: is empty. Write a text.",
    ),
    (
        ("  protected: true", "  max_missing: 30"),
        "max_missing",
        "columns[4].max_missing: 30 is out of range. Accepted is at least 0 and at most 1. 30 % is 0.3.",
    ),
    (
        ("- name: debt\n", "- name: Open Debt\n"),
        "Open Debt",
        "columns[2].name: 'Open Debt' is not a name. Use small letters, digits and underscores, a letter first",
    ),
    (
        ("  allowed:\n  - north\n  - south\n  - west", "  allowed: north"),
        "allowed: north",
        "columns[3].allowed: is the text 'north', not a list. Begin each item on a line of its own with `- `",
    ),
    (
        (
            "target:\n  sql: CASE \"Paid back\" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END\n  description: Not paid back.",
            "target: 1",
        ),
        "target: 1",
        "target: is the number 1, not a map of keys. Write its keys below it, one on each line and indented: sql (",
    ),
    (
        ("target:\n", "targett:\n"),
        "targett:",
        "targett: is not a key here. Did you mean 'target'?",
    ),
]

MEANING: list[tuple[Edit, str, str]] = [
    (
        ("entity_key: contract_no", "entity_key: contract_nr"),
        "entity_key:",
        "entity_key: names 'contract_nr', which is no column. Did you mean 'contract_no'?",
    ),
    (
        ("entity_key:", "event_date: sex\nentity_key:"),
        "event_date",
        "event_date: column 'sex' is text, so loans have no vintage. Give 'sex' the type date",
    ),
    (
        ("- name: sex\n", "- name:  contract_no  # sex\n"),
        "- name:  contract_no  # sex",
        "columns[4].name: the name 'contract_no' is that of columns[0] too. Rename one of the two.",
    ),
    (
        ("- name: debt_to_salary", "- name:  log_salary"),
        "- name:  log_salary",
        "features[1].name: the name 'log_salary' is that of features[0] too. Rename one of the two.",
    ),
    (
        ("- name: sex\n", "- name: score\n"),
        "- name: score",
        "columns[4].name: 'score' is a name that the platform uses itself. Choose another name.",
    ),
    (
        ("- name: log_salary", "- name:  contract_no"),
        "- name:  contract_no",
        "features[0].name: 'contract_no' is the key, the date or the platform's own. Choose another name.",
    ),
    (
        ("  minimum: 0", "  minimum: 9\n  maximum: 5"),
        "minimum",
        "columns[1].minimum: minimum 9 is above maximum 5, so every value would be refused. Swap them, or correct one.",
    ),
    (
        ("  protected: true", "  minimum: 5"),
        "minimum: 5",
        "columns[4].minimum: a text column has no range. Remove it, or make 'sex' a number.",
    ),
    (
        ("  minimum: 0", "  allowed: [a]"),
        "allowed: [a]",
        "columns[1].allowed: only a text column has categories, 'salary' is number. Remove it, or make the type text.",
    ),
    (
        ("  - south", "  - ' North'"),
        "' North'",
        "columns[3].allowed[1]: ' North' and 'north' are the same category, as case and spacing are ignored. Keep one",
    ),
    (
        ("""CASE "Paid back" WHEN 'no' THEN 1 WHEN 'yes' THEN 0 END""", "'0'"),
        "sql: '0'",
        "target.sql: reads no column, so every loan has the same outcome and nothing can be learned. Derive it from",
    ),
    (
        ("WHEN 'yes' THEN 0 END", "WHEN 'yes' THEN 0"),
        "Paid back",
        "target.sql: not an SQL expression: Expected END after CASE at ",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: debt / (salry + 1)"),
        "salry",
        "features[1].sql: feature 'debt_to_salary' reads 'salry', which is no column. Did you mean 'salary'?",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: '\"Debts?\" + salary'"),
        'Debts?" +',
        "features[1].sql: feature 'debt_to_salary' reads 'debts?', which is no column. It is a raw column: the column "
        "made of it is 'debt'.",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: length(sex)"),
        "length(sex)",
        "features[1].sql: feature 'debt_to_salary' reads the protected column 'sex'. Remove it: a decision must not",
    ),
    (
        ("  unit: EUR\n- name: region", "  known: after_origination\n- name: region"),
        "sql: debt",
        "features[1].sql: feature 'debt_to_salary' reads 'debt', which is known only after origination (a leak): an "
        "applicant has no such value. Remove it;",
    ),
    (
        ("features:\n", "forbidden_features: [debt]\nfeatures:\n"),
        "sql: debt",
        "features[1].sql: feature 'debt_to_salary' reads 'debt', which forbidden_features excludes. Remove it from one",
    ),
    (
        ("features:\n", "forbidden_features: [debts]\nfeatures:\n"),
        "forbidden_features",
        "forbidden_features[0]: excludes 'debts', which is no column. Did you mean 'debt'?",
    ),
    (
        ("  kind: category", "  kind: category\n  monotone: increasing  # here"),
        "monotone: increasing  # here",
        "features[2].monotone: a category has no direction. Remove it, or make the kind number.",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: debt / AVG(salary)"),
        "AVG",
        "features[1].sql: a feature is computed from one row alone, and AVG(salary) looks at others. Compute it from",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: RANK() OVER (ORDER BY debt)"),
        "RANK",
        "features[1].sql: a feature is computed from one row alone, and RANK() OVER (ORDER BY debt) looks at others.",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: no_such(debt)"),
        "no_such",
        "features[1].sql: Polars, which runs it, refuses it: unsupported function",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: CASE WHEN debt > 5 THEN 'a' ELSE 'b' END"),
        "CASE WHEN",
        "features[1].sql: gives text, not a number. Write `kind: category`, or make it a number.",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: 1 + 1"),
        "1 + 1",
        "features[1].sql: feature 'debt_to_salary' reads no column, so it is the same for every loan. Compute it from",
    ),
    (
        ("sql: debt / (salary + 1)", "sql: debt FROM loans"),
        "FROM loans",
        "features[1].sql: must be one SQL expression over the columns, not a query. Correct the SQL.",
    ),
]

DEFS: list[tuple[Edit, str, str]] = [
    (
        ("LoanPortfolio\n", "LoanPortfollio\n"),
        "type:",
        "type: the text 'loan_platform.assets.loan_portfolio.LoanPortfollio' is not accepted. Did you mean 'loan_pl",
    ),
    (
        ("    loans:", "    loan:"),
        "  sources:",
        "attributes.sources: there is no source 'loans'. Did you mean 'loan'?",
    ),
    (
        ("    applications:", "    aplications:"),
        "aplications:",
        "attributes.sources.aplications: is no source of a book, so nothing would read it. Did you mean 'applicat",
    ),
    (
        ("    applications:\n      path:", "    applications:\n      pth:"),
        "pth:",
        "attributes.sources.applications.pth: is not a key here. Did you mean 'path'?",
    ),
    (
        ("    - gradient_boosting", "    - gradient_bosting"),
        "bosting",
        "attributes.training.families[1]: the text 'gradient_bosting' is not accepted. Did you mean 'gradient_",
    ),
    (
        ("    - gradient_boosting", "    - blend"),
        "families:",
        "attributes.training.families: blend averages scorecard and gradient_boosting, and one of them is not in the "
        "list. Add both, or remove blend.",
    ),
    (
        ("    folds: 2", "    folds: 1"),
        "folds",
        "attributes.split.folds: 1 is out of range. Accepted is at least 2 and at most 10.",
    ),
    (
        ("    folds: 2", "    folds: 2.5"),
        "folds",
        "attributes.split.folds: is the number 2.5, not a whole number. Write a whole number, such as 5.",
    ),
    (
        ("  split:\n", "  folds: 3\n  split:\n"),
        "folds: 3",
        "attributes.folds: is not a key here. It is a key of 'split': put it there.",
    ),
    (
        ("    kind: hash", "    kind: out_of_time"),
        "kind:",
        "attributes.split.kind: the contract has no event_date, so there are no vintages to split by. Write 'hash', or",
    ),
    (
        ("    every: none", "    every: month"),
        "every:",
        "attributes.partitions.every: the contract has no event_date, so batches cannot be cut by it. Write 'none', or",
    ),
    (
        ("    every: none", "    every: none\n    start: 2007-13"),
        "start:",
        "attributes.partitions.start: '2007-13' is not a month. Write it as year and month, such as 2015-06.",
    ),
    (
        ("    min_auc: 0.55", "    min_auc: 0.96"),
        "min_auc:",
        "attributes.promotion.min_auc: 0.96 is not below max_auc, 0.95, so no model could pass. Lower it, or raise",
    ),
    (
        ("  partitions:", "  drift:\n    warning: 0.3\n  partitions:"),
        "warning:",
        "attributes.drift.warning: 0.3 is above critical, 0.2, so nothing would be a warning. Lower it, or raise",
    ),
    (
        ("attributes:", "atributes:"),
        "atributes:",
        "atributes: is not a key here. Did you mean 'attributes'?",
    ),
]


def ids(cases: list[tuple[Edit, str, str]]) -> list[str]:
    return [re.sub(r"\W+", "-", edit[1])[:40] for edit, _, _ in cases]


def one_mistake(folder: Path, file: str, case: tuple[Edit, str, str]) -> None:
    edit, blamed, text = case
    line = line_of(edited(folder, file, edit), blamed)
    assert told(folder)[0].startswith(f"{folder / file}:{line}: {text}")
    assert len(told(folder)) == 1


@pytest.mark.parametrize("case", SCHEMA, ids=ids(SCHEMA))
def test_a_mistake_of_form(book: Path, case: tuple[Edit, str, str]) -> None:
    one_mistake(book, "contract.yaml", case)


@pytest.mark.parametrize("case", MEANING, ids=ids(MEANING))
def test_a_mistake_of_meaning(book: Path, case: tuple[Edit, str, str]) -> None:
    one_mistake(book, "contract.yaml", case)


@pytest.mark.parametrize("case", DEFS, ids=ids(DEFS))
def test_a_mistake_in_defs_yaml(book: Path, case: tuple[Edit, str, str]) -> None:
    one_mistake(book, "defs.yaml", case)


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
    places = [(mistake.file.name, mistake.line, mistake.path) for mistake in check_book(book).mistakes]
    assert places == [
        ("defs.yaml", line_of(defs, "kind: out_of_time"), "attributes.split.kind"),
        ("defs.yaml", line_of(defs, "folds: 20"), "attributes.split.folds"),
        ("defs.yaml", line_of(defs, "folds: 20"), "attributes.split.folds"),
        ("contract.yaml", line_of(contract, "nmber"), "columns[1].type"),
        ("contract.yaml", line_of(contract, "minimun"), "columns[1].minimun"),
        ("contract.yaml", line_of(contract, "minimun"), "columns[1].minimun"),
        ("contract.yaml", line_of(contract, ["entity_key: contract_no", "f"][0]), "entity_key"),
        ("contract.yaml", line_of(contract, "salry"), "features[0].sql"),
        ("contract.yaml", line_of(contract, "no_such"), "features[1].sql"),
    ]


def test_one_mistake_brings_no_others_with_it(book: Path) -> None:
    """A column without a name is one mistake, not one for each feature that reads it."""
    edited(book, "contract.yaml", ("- name: salary\n  description", "- description"))
    assert [mistake.path for mistake in check_book(book).mistakes] == ["columns[1].name"]


def test_a_file_that_does_not_parse_does_not_hide_the_other(book: Path) -> None:
    edited(book, "contract.yaml", ("features:", "features: ["))
    edited(book, "defs.yaml", ("folds: 2", "folds: 1"))
    assert [mistake.file.name for mistake in check_book(book).mistakes] == ["defs.yaml", "contract.yaml"]


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
            "defs.yaml:1: a list or map contains itself.",
        ),
    ],
)
def test_a_file_without_a_book(book: Path, change: Callable[[Path], object], text: str) -> None:
    change(book)
    assert text in "\n".join(told(book))


def test_the_name_of_the_folder_is_the_name_of_the_book(book: Path) -> None:
    renamed = book.rename(book.with_name("Car Loans"))
    assert told(renamed)[0].startswith(f"{renamed}/defs.yaml:1: the folder is called 'Car Loans', and its name is that")


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
