"""Row rules in Polars: which rows break which rule, alone and in bulk, and with the features in one pass."""

import polars as pl
import pytest

from loan_platform.core.book.contract import Contract
from loan_platform.core.features.feature_set import FeatureError, FeatureSet
from loan_platform.core.features.row_rules import BrokenRulesError
from loan_platform.core.scoring.predictor import Predictor
from loan_platform_tests.support.service.club import club_contract, club_model

ROWS = pl.DataFrame(
    {
        "open_acc": [1, 3, None, 2],
        "total_acc": [2, 2, 2, 2],
        "fico_range_low": [700, 700, 700, None],
        "fico_range_high": [704, 600, 704, 600],
        "annual_inc": [0.0, 1.0, 1.0, 1.0],
    }
)


def broken_names(features: FeatureSet, rows: pl.DataFrame) -> dict[int, list[str]]:
    return {row: [rule.name for rule in rules] for row, rules in features.broken_rules(rows).items()}


def test_a_missing_value_breaks_no_rule() -> None:
    found = broken_names(FeatureSet(club_contract()), ROWS)
    assert found == {1: ["fico_range_in_order", "open_accounts_among_all"]}


def test_rules_and_features_of_one_pass_are_those_of_two() -> None:
    features = FeatureSet(club_contract())
    computed, broken = features.compute_checked(ROWS)
    assert computed.equals(features.compute(ROWS))
    assert broken == features.broken_rules(ROWS)
    for row in range(ROWS.height):
        assert list(features.compute_checked(ROWS[row])[1]) == [0] * (row == 1)


def test_a_row_that_breaks_a_rule_is_not_answered() -> None:
    model = club_model()
    rows = pl.concat([ROWS, pl.DataFrame(schema=model.feature_set.schema)], how="diagonal_relaxed")
    with pytest.raises(BrokenRulesError) as refused:
        Predictor(model).predict_rows(rows, [False] * rows.height)
    assert list(refused.value.broken) == [1]
    assert len(Predictor(model).predict_rows(rows.filter(pl.col("open_acc").ne_missing(3)), [False] * 3)) == 3


def test_a_contract_without_rules_has_its_old_bytes() -> None:
    written = club_contract().model_copy(update={"row_rules": ()}).model_dump(mode="json")
    assert "row_rules" not in written
    assert Contract.model_validate(written).critical_rules == ()


def test_rules_travel_with_the_reduced_contract_of_a_model() -> None:
    assert club_model().contract.row_rules == club_contract().row_rules


def test_a_rule_that_does_not_compile_loads_no_model() -> None:
    contract = club_contract()
    bad = contract.row_rules[0].model_copy(update={"sql": "no_such(open_acc)"})
    with pytest.raises(FeatureError, match="row rule 'fico_range_in_order'"):
        FeatureSet(contract.model_copy(update={"row_rules": (bad,)}))
