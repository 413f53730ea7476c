"""Mistakes in `defs.yaml`, alone and against the contract."""

from pathlib import Path

import pytest

from loan_platform_tests.support.planted import Planted, assert_only_issue, book_in, ids

CASES = [
    Planted(
        "LoanPortfolio\n",
        "LoanPortfollio\n",
        "type:",
        "type: the text 'loan_platform.assets.loan_portfolio.LoanPortfollio' is not accepted. Did you mean 'loan_pl",
    ),
    Planted(
        "    loans:",
        "    loan:",
        "loan:",
        "attributes.sources.loan: there is no source 'loans', the loan book itself. Did you mean 'loans'?",
    ),
    Planted(
        "    applications:",
        "    aplications:",
        "aplications:",
        "attributes.sources.aplications: is no source of a book, so nothing would read it. Did you mean 'applicat",
    ),
    Planted(
        "    applications:\n      path:",
        "    applications:\n      pth:",
        "pth:",
        "attributes.sources.applications.pth: is not a key here. Did you mean 'path'?",
    ),
    Planted(
        "    - gradient_boosting",
        "    - gradient_bosting",
        "bosting",
        "attributes.training.families[1]: the text 'gradient_bosting' is not accepted. Did you mean 'gradient_",
    ),
    Planted(
        "    - gradient_boosting",
        "    - blend",
        "families:",
        "attributes.training.families: blend averages scorecard and gradient_boosting, and one of them is not in the "
        "list. Add both, or remove blend.",
    ),
    Planted(
        "    - scorecard\n    - gradient_boosting",
        "    - mlp",
        "families:",
        "attributes.training.families: mlp cannot keep features to the contract's directions, so no model could be "
        "chosen. Add scorecard, or remove `monotone` from the contract's features.",
    ),
    Planted(
        "  partitions:",
        "  decision:\n    approve_below: 0.1\n  partitions:",
        "approve_below:",
        "attributes.decision.approve_below: is given without decline_from. Add decline_from, or remove it: both are",
    ),
    Planted(
        "  partitions:",
        "  decision:\n    approve_below: 0.3\n    decline_from: 0.2\n  partitions:",
        "approve_below:",
        "attributes.decision.approve_below: 0.3 is above decline_from, 0.2, so an application would be approved and",
    ),
    Planted(
        "  partitions:",
        "  decision:\n    margin: 0.05\n  partitions:",
        "margin:",
        "attributes.decision.margin: 0.05 is not above cost_of_funds, 0.05, so no loan could earn anything. Raise it",
    ),
    Planted(
        "  partitions:",
        "  decision:\n    medium_from: 0.3\n  partitions:",
        "medium_from:",
        "attributes.decision.medium_from: 0.3 is above high_from, 0.2, so no risk would be medium. Lower it, or raise",
    ),
    Planted(
        "    folds: 2",
        "    folds: 1",
        "folds",
        "attributes.split.folds: 1 is out of range. Accepted is at least 2 and at most 10.",
    ),
    Planted(
        "    folds: 2",
        "    folds: 2.5",
        "folds",
        "attributes.split.folds: is the number 2.5, not a whole number. Write a whole number, such as 5.",
    ),
    Planted(
        "  split:\n",
        "  folds: 3\n  split:\n",
        "folds: 3",
        "attributes.folds: is not a key here. It is a key of 'split': put it there.",
    ),
    Planted(
        "    kind: hash",
        "    kind: out_of_time",
        "kind:",
        "attributes.split.kind: the contract has no event_date, so there are no vintages to split by. Write 'hash', or",
    ),
    Planted(
        "    every: none",
        "    every: month",
        "every:",
        "attributes.partitions.every: the contract has no event_date, so batches cannot be cut by it. Write 'none', or",
    ),
    Planted(
        "    every: none",
        "    every: none\n    start: 2007-13",
        "start:",
        "attributes.partitions.start: '2007-13' is not a month. Write it as year and month, such as 2015-06.",
    ),
    Planted(
        "    every: none",
        "    every: none\n    start: 2020-05\n    end: 2020-04",
        "end:",
        "attributes.partitions.end: 2020-04 is before start, 2020-05, so no batch would be scored. Put it later, or",
    ),
    Planted(
        "    min_auc: 0.55",
        "    min_auc: 0.96",
        "min_auc:",
        "attributes.promotion.min_auc: 0.96 is not below max_auc, 0.95, so no model could pass. Lower it, or raise",
    ),
    Planted(
        "  partitions:",
        "  drift:\n    warning: 0.3\n  partitions:",
        "warning:",
        "attributes.drift.warning: 0.3 is above critical, 0.2, so nothing would be a warning. Lower it, or raise",
    ),
    Planted(
        "attributes:",
        "atributes:",
        "atributes:",
        "atributes: is not a key here. Did you mean 'attributes'?",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_the_mistake_is_told_with_its_line(tmp_path: Path, case: Planted) -> None:
    assert_only_issue(book_in(tmp_path), "defs.yaml", case)
