"""Mistakes in `defs.yaml`, alone and against the contract."""

from pathlib import Path

import pytest

from loan_platform_tests.support.planted import Planted, assert_only_issue, book_in, ids

CASES = [
    Planted(
        "    loans:\n",
        "    loans:\n      same_key: first\n",
        "same_key:",
        "attributes.sources.loans.same_key",
        "not_added_to",
    ),
    Planted(
        "    applications:\n",
        "    applications:\n      same_key: last\n",
        "same_key:",
        "attributes.sources.applications.same_key",
        "wrong_value",
        ("'last'",),
    ),
    Planted(
        "LoanPortfolio\n",
        "LoanPortfollio\n",
        "type:",
        "type",
        "wrong_value",
        ("'loan_platform.assets.loan_portfolio.LoanPortfollio'",),
    ),
    Planted(
        "    loans:",
        "    loan:",
        "loan:",
        "attributes.sources.loan",
        "missing_source",
        ("'loans'",),
    ),
    Planted(
        "    applications:",
        "    aplications:",
        "aplications:",
        "attributes.sources.aplications",
        "unknown_source",
    ),
    Planted(
        "    applications:\n      path:",
        "    applications:\n      pth:",
        "pth:",
        "attributes.sources.applications.pth",
        "unknown_key",
        ("'path'",),
    ),
    Planted(
        "    - gradient_boosting",
        "    - gradient_bosting",
        "bosting",
        "attributes.training.families[1]",
        "wrong_value",
        ("'gradient_bosting'",),
    ),
    Planted(
        "    - gradient_boosting",
        "    - blend",
        "families:",
        "attributes.training.families",
        "missing_family",
    ),
    Planted(
        "    - scorecard\n    - gradient_boosting",
        "    - mlp",
        "families:",
        "attributes.training.families",
        "no_monotone_family",
    ),
    Planted(
        "  partitions:",
        "  decision:\n    approve_below: 0.1\n  partitions:",
        "approve_below:",
        "attributes.decision.approve_below",
        "missing_cut_off",
    ),
    Planted(
        "  partitions:",
        "  decision:\n    approve_below: 0.3\n    decline_from: 0.2\n  partitions:",
        "approve_below:",
        "attributes.decision.approve_below",
        "wrong_order",
        ("0.3", "0.2"),
    ),
    Planted(
        "  partitions:",
        "  decision:\n    margin: 0.05\n  partitions:",
        "margin:",
        "attributes.decision.margin",
        "wrong_order",
        ("0.05",),
    ),
    Planted(
        "  partitions:",
        "  decision:\n    medium_from: 0.3\n  partitions:",
        "medium_from:",
        "attributes.decision.medium_from",
        "wrong_order",
        ("0.3", "0.2"),
    ),
    Planted(
        "    folds: 2",
        "    folds: 1",
        "folds",
        "attributes.split.folds",
        "wrong_value",
        ("1", "2", "10"),
    ),
    Planted(
        "    folds: 2",
        "    folds: 2.5",
        "folds",
        "attributes.split.folds",
        "wrong_value",
        ("2.5", "5"),
    ),
    Planted(
        "  split:\n",
        "  folds: 3\n  split:\n",
        "folds: 3",
        "attributes.folds",
        "unknown_key",
        ("'split'",),
    ),
    Planted(
        "    kind: hash",
        "    kind: out_of_time",
        "kind:",
        "attributes.split.kind",
        "no_event_date",
        ("'hash'",),
    ),
    Planted(
        "    every: none",
        "    every: month",
        "every:",
        "attributes.partitions.every",
        "no_event_date",
        ("'none'",),
    ),
    Planted(
        "    every: none",
        "    every: none\n    start: 2007-13",
        "start:",
        "attributes.partitions.start",
        "wrong_value",
        ("'2007-13'", "2015", "06"),
    ),
    Planted(
        "    every: none",
        "    every: none\n    start: 2020-05\n    end: 2020-04",
        "end:",
        "attributes.partitions.end",
        "wrong_order",
        ("2020", "04", "05"),
    ),
    Planted(
        "    min_auc: 0.55",
        "    min_auc: 0.96",
        "min_auc:",
        "attributes.promotion.min_auc",
        "wrong_order",
        ("0.96", "0.95"),
    ),
    Planted(
        "  partitions:",
        "  drift:\n    warning: 0.3\n  partitions:",
        "warning:",
        "attributes.drift.warning",
        "wrong_order",
        ("0.3", "0.2"),
    ),
    Planted(
        "attributes:",
        "atributes:",
        "atributes:",
        "atributes",
        "unknown_key",
        ("'attributes'",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=ids(CASES))
def test_the_mistake_is_told_with_its_line(tmp_path: Path, case: Planted) -> None:
    assert_only_issue(book_in(tmp_path), "defs.yaml", case)
