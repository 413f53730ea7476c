"""The draft proposes `split.mature_by` where the outcomes of longer loans are known later, and nowhere else."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column, Target
from loan_platform.core.book.parts.features import Feature
from loan_platform.core.drafting.judging.windows import choose_split
from loan_platform.core.drafting.loan_terms import term_feature

MONTHS = 60


def contract(*names: str, unit: str | None = None) -> Contract:
    columns = (Column(name="key", type="text", description="-"),)
    columns += tuple(Column(name=name, type="number", description="-", unit=unit) for name in names)
    features = tuple(Feature(name=name, sql=name, description="-", reason="-") for name in names)
    target = Target(sql="bad", description="-")
    return Contract(description="-", entity_key="key", columns=columns, target=target, features=features)


def loans(long: int = 36, seen: int = MONTHS, short: int = 12, share: float = 0.25) -> pl.DataFrame:
    """100 loans a month over 60 months, a share of the long term; outcomes are those of the month `seen`."""
    draw = np.random.default_rng(2)
    month = np.repeat(np.arange(MONTHS), 100)
    term = np.where(draw.random(len(month)) < share, long, short)
    bad = draw.random(len(month)) < 0.2
    known = month + np.where(bad, draw.uniform(0, term), term) <= seen
    return pl.DataFrame(
        {
            "date": [date(2015 + int(m) // 12, int(m) % 12 + 1, 1) for m in month],
            "target": pl.Series([int(b) if k else None for b, k in zip(bad, known, strict=True)], dtype=pl.Int8),
            "tenor": term.astype(float),
            "bureau_inquiries": term.astype(float),
        }
    )


def found(frame: pl.DataFrame, book: Contract):
    return term_feature(book, frame, frame["target"], frame["date"], 0.9)


def test_a_term_whose_longer_loans_are_known_later_is_proposed() -> None:
    frame = loans()
    term = found(frame, contract("bureau_inquiries", "tenor"))
    assert term is not None
    assert term.values.name == "tenor"
    assert term.why == (
        "longer loans are known later. By tenor, too many are open: 12 from 2019-02 on, 36 from 2017-02 on"
    )
    split = choose_split(pl.Series(range(len(frame))), frame["target"], frame["date"], term.values)
    assert (split.policy.kind, split.policy.mature_by) == ("out_of_time", "tenor")
    assert frame[split.rows.test.tolist()]["tenor"].unique().to_list() == [12.0]


def test_months_of_few_short_loans_are_no_months_of_the_windows() -> None:
    frame = loans(long=48, short=3, share=0.95)  # one in twenty is known in the newest months
    split = choose_split(pl.Series(range(len(frame))), frame["target"], frame["date"], frame["tenor"])
    assert (split.policy.kind, split.policy.mature_by) == ("out_of_time", "tenor")
    assert set(frame[split.rows.test.tolist()]["tenor"]) == {3.0, 48.0}


@pytest.mark.parametrize(
    ("frame", "book"),
    [
        (loans(seen=100), contract("tenor")),  # all outcomes are known
        (loans(long=12), contract("tenor")),  # one term
        (
            loans().with_columns((48 - pl.col("tenor")).alias("tenor")),
            contract("tenor"),
        ),  # the longer loans are known earlier
        (loans(), contract("bureau_inquiries")),  # no term by its name or unit
        (loans().with_columns(pl.col("tenor") + 0.5), contract("tenor")),
        (loans().gather_every(20), contract("tenor")),  # 75 loans of the long term
    ],
)
def test_nothing_is_proposed_without_evidence(frame: pl.DataFrame, book: Contract) -> None:
    assert found(frame, book) is None


def test_a_number_of_months_is_a_term_whatever_its_name() -> None:
    assert found(loans(), contract("bureau_inquiries", unit="months")) is not None
