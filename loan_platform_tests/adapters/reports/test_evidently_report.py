import json
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from loan_platform.adapters.reports.evidently_report import DriftReport, drift_report, write_drift_report
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.psi import DriftTable, drift_table
from loan_platform.core.monitoring.reference import Reference

CANARY = "CANARY-4711"


def loans(rows: int, seed: int) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "income": np.exp(draw.normal(10, 0.5, rows)),
            "delinquencies": draw.poisson(0.3, rows),
            "joint": draw.random(rows) < 0.1,
            "purpose": draw.choice(["car", "house", "other"], rows),
            "constant": np.ones(rows),
            "never_stated": pl.Series([None] * rows, dtype=pl.Float64),
            "probability": draw.beta(2, 9, rows),
        }
    )
    some = pl.int_range(pl.len())
    return frame.with_columns(
        pl.when(some % 9 > 0).then("income"),
        pl.when(some % 7 > 0).then("purpose").cast(pl.Categorical),
        pl.when(some == 3).then(np.inf).otherwise("constant").alias("constant"),
    )


def table(reference: pl.DataFrame, current: pl.DataFrame) -> DriftTable:
    frozen = Reference.build(reference.drop("probability"), reference["probability"].to_numpy())
    return drift_table(frozen, current.drop("probability"), current["probability"].to_numpy(), DriftPolicy())


@lru_cache(maxsize=1)
def report() -> DriftReport:
    reference, current = loans(3_000, 1), loans(900, 2).with_columns(pl.col("income") * 2)
    drift = table(reference, current)
    return drift_report(reference, current, drift, title="Drift <of> May", policy=DriftPolicy(sample_rows=2_000))


def test_the_shifted_variable_is_named_and_no_other() -> None:
    figures = json.loads(report().json)
    found = {column["column"]: column["drift"] for column in figures["columns"]}
    assert found.pop("income") == "Detected"
    assert set(found.values()) == {"Not Detected"}
    assert set(found) == {"score", "delinquencies", "joint", "purpose", "constant"}
    assert figures["columns"][0]["column"] == "income"
    assert figures["columns"][0]["psi"] > 0.5
    types = {column["column"]: column["type"] for column in figures["columns"]}
    assert (types["joint"], types["purpose"], types["score"]) == ("num", "cat", "num")
    assert figures["not_drawn"] == ["never_stated"]
    assert figures["rows"] == {"reference": 2_000, "current": 900}
    assert figures["metrics"][0]["value"]["count"] == 1.0


def test_the_same_frames_give_the_same_bytes() -> None:
    reference, current = loans(3_000, 1), loans(900, 2).with_columns(pl.col("income") * 2)
    again = drift_report(
        reference, current, table(reference, current), title="Drift <of> May", policy=DriftPolicy(sample_rows=2_000)
    )
    assert again.json == report().json
    assert again.html == report().html


def test_the_page_opens_offline() -> None:
    page = report().html
    assert "<title>Drift &lt;of&gt; May</title>" in page
    assert "Verdict on all 900 rows: critical. Population stability index" in page
    assert not re.search(r"""<(?:script|img|iframe)[^>]*\ssrc=|<link|url\(['"]?https?:""", page)
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", page)


def test_single_rows_are_not_in_the_report(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    reference = loans(1_500, 1)
    one = pl.int_range(pl.len()) == 700
    current = loans(1_500, 2).with_columns(
        pl.when(one).then(987654.25).otherwise("income").alias("income"),
        pl.when(one).then(pl.lit(CANARY)).otherwise("purpose").alias("purpose"),
    )
    pages = tmp_path / "drift.html", tmp_path / "drift.json"
    write_drift_report(
        reference, current, table(reference, current), *pages, title="Drift", policy=DriftPolicy(sample_rows=5_000)
    )
    text = "".join(page.read_text() for page in pages)
    assert "house" in text
    assert "(other)" in text
    assert CANARY not in text
    assert "987654" not in text
    assert str(reference["income"].max())[:7] not in text
    assert capfd.readouterr() == ("", "")


def test_nothing_to_draw_is_an_error() -> None:
    reference, current = loans(200, 1), loans(200, 2).clear(200)
    with pytest.raises(ValueError, match="both the reference and the batch"):
        drift_report(reference, current, table(reference, current), title="Drift", policy=DriftPolicy(sample_rows=500))
