import numpy as np
import polars as pl
import pytest

from loan_platform.sample_data.lending_club.files import write_loan_book
from loan_platform_tests.support.outcome_columns import OUTCOME_COLUMNS

NUMBERS = """
    loan_amnt annual_inc dti fico_range_low inq_last_6mths acc_open_past_24mths revol_bal revol_util bc_util
    bc_open_to_buy percent_bc_gt_75 tot_cur_bal mort_acc mo_sin_old_rev_tl_op mo_sin_rcnt_tl
    num_tl_op_past_12m pct_tl_nvr_dlq delinq_2yrs pub_rec open_acc total_acc
""".split()  # noqa: SIM905
WORDS = ("term", "home_ownership", "verification_status", "purpose", "emp_length")
PRICES = ("int_rate", "installment")
LEAKS = ("recoveries", "total_rec_prncp", "last_fico_range_high", "last_fico_range_low")


@pytest.fixture(scope="module")
def resolved(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    path = tmp_path_factory.mktemp("signal") / "loans.csv"
    write_loan_book(path, rows=20_000, seed=13, end="2015-12", dirty_share=0.0, footer=False)
    frame = pl.read_csv(path, infer_schema=False)
    return frame.filter(pl.col("loan_status").is_in(["Fully Paid", "Charged Off"]))


def features(frame: pl.DataFrame, extra: tuple[str, ...]) -> pl.DataFrame:
    income = pl.col("annual_inc").cast(pl.Float64).clip(10_000)
    amount = pl.col("loan_amnt").cast(pl.Float64)
    years = pl.when(pl.col("term") == " 36 months").then(3).otherwise(5)
    return frame.select(
        *(pl.col(name).cast(pl.Float64) for name in (*NUMBERS, *extra)),
        *(pl.col(name).fill_null("").rank("dense").cast(pl.Float64) for name in WORDS),
        loan_to_income=amount / income,
        burden=amount / years / income,
        revolving_to_income=pl.col("revol_bal").cast(pl.Float64) / income,
    )


def out_of_time_auc(resolved: pl.DataFrame, extra: tuple[str, ...]) -> float:
    from sklearn.metrics import roc_auc_score
    from xgboost import XGBClassifier

    table = features(resolved, extra).to_numpy()
    bad = (resolved["loan_status"] == "Charged Off").to_numpy().astype(np.int64)
    late = (resolved["issue_d"].str.slice(4) == "2015").to_numpy()
    model = XGBClassifier(n_estimators=120, max_depth=3, learning_rate=0.08, subsample=0.8, n_jobs=2)
    model.fit(table[~late], bad[~late])
    return float(roc_auc_score(bad[late], model.predict_proba(table[late])[:, 1]))


def test_risk_is_as_predictable_as_in_reality(resolved: pl.DataFrame) -> None:
    without_prices = out_of_time_auc(resolved, ())
    assert 0.66 <= without_prices <= 0.75
    with_prices = out_of_time_auc(resolved, PRICES)
    assert without_prices < with_prices <= 0.76


def test_planted_leaks_give_themselves_away(resolved: pl.DataFrame) -> None:
    assert set(LEAKS) <= OUTCOME_COLUMNS
    assert out_of_time_auc(resolved, LEAKS) > 0.97
    assert out_of_time_auc(resolved, ("last_fico_range_high",)) > 0.9
