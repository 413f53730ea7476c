"""Splits loans into training, calibration and test set: out of time by vintage, or by a hash of the key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.training_policies import SplitPolicy
from loan_platform.core.errors import ExplainedError
from loan_platform.core.evaluation.evaluation_report import OpenWindowReport, PartReport, SplitReport
from loan_platform.core.training.hash_split import by_hash
from loan_platform.core.training.loan_kinds import why_no_kind
from loan_platform.core.training.matured_months import kind_text, mature_loans

Rows = NDArray[np.int64]

MIN_OF_A_CLASS = 2
ALL_PARTS = "all parts"


class SplitError(ExplainedError, ValueError):
    """The loans cannot be split as the policy says. The message has the counts and the setting to change."""


@dataclass(frozen=True)
class Part:
    """One part of a split, for the report. The dates are the first and the last vintage, if there are any."""

    rows: int
    defaults: int
    first: date | None = None
    last: date | None = None

    @property
    def default_rate(self) -> float:
        """Share of defaults."""
        return self.defaults / self.rows if self.rows else float("nan")

    def report(self) -> PartReport:
        """Counts and period."""
        return PartReport(
            rows=self.rows, defaults=self.defaults, default_rate=self.default_rate, first=self.first, last=self.last
        )


@dataclass(frozen=True)
class LoanSplit:
    """Row numbers of each part, ordered by vintage (if there is one) and key, and counts of the loans left out.

    `folds` are pairs (train, validation) inside the training window, which is `fit` and `calibration`.
    `open_rows` are loans of the same mature months whose outcome is open, by part; `open_windows` compares them.
    """

    fit: Rows
    calibration: Rows
    test: Rows
    folds: tuple[tuple[Rows, Rows], ...]
    parts: dict[str, Part]
    rows: int
    unknown_outcome: int
    immature: int
    immature_by_month: dict[str, int]
    open_rows: Mapping[str, Rows] = field(default_factory=dict[str, Rows])
    open_windows: tuple[OpenWindowReport, ...] = ()

    def known_rows(self, part: str) -> Rows:
        """The loans of one part, or of `ALL_PARTS`."""
        of_part = {"fit": self.fit, "calibration": self.calibration, "test": self.test}
        return np.concatenate(tuple(of_part.values())) if part == ALL_PARTS else of_part[part]

    @property
    def training(self) -> Rows:
        """The whole training window: fit, then calibration."""
        return np.concatenate((self.fit, self.calibration))

    def report(self) -> SplitReport:
        """Counts and periods."""
        return SplitReport(
            rows=self.rows,
            unknown_outcome=self.unknown_outcome,
            immature=self.immature,
            immature_by_month=self.immature_by_month,
            fit=self.parts["fit"].report(),
            calibration=self.parts["calibration"].report(),
            test=self.parts["test"].report(),
            open_windows=self.open_windows,
        )


def split_loans(
    key: pl.Series,
    target: pl.Series,
    event_date: pl.Series | None,
    policy: SplitPolicy,
    kind: pl.Series | None = None,
) -> LoanSplit:
    """Split by the policy: out of time on the vintages of `event_date`, or by a hash of the key.

    Args:
        key: identifies a loan and orders the loans of a vintage. So the order of the rows does not matter.
        target: 1 default, 0 repaid, null if the outcome is unknown.
        event_date: date of each loan; needed for `out_of_time`.
        policy: sizes of the parts.
        kind: values of the feature `mature_by`; None without it.

    Raises:
        SplitError: too few matured vintages, no known outcome, or a part with one class only.
    """
    loans = pl.DataFrame({"key": key.cast(pl.String), "target": target.cast(pl.Int8)}).with_row_index("row")
    known = loans.filter(pl.col("target").is_not_null())
    if known.is_empty():
        raise SplitError(
            f"none of the {loans.height} outcomes is known: check `target.sql` of the contract, or add older loans"
        )
    if policy.kind == "hash":
        ordered, left_out = by_hash(known, policy), dict[str, int]()
        is_open = loans.filter(pl.col("target").is_null()).with_columns(part=pl.lit(None, pl.Int8))
    elif event_date is None:
        raise SplitError("split.kind is out_of_time, which needs the contract's event_date; set it to hash")
    else:
        dated = loans.with_columns(vintage=event_date.dt.truncate("1mo"))
        ordered, is_open, left_out = _out_of_time(dated, policy, kind)
    return _assemble(ordered, is_open, policy, loans.height, loans.height - known.height, left_out)


def _out_of_time(
    loans: pl.DataFrame, policy: SplitPolicy, kind: pl.Series | None
) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Loans of matured vintages and their part, known and open ones; known loans left out, by immature month."""
    kinds = None if kind is None else kind_text(kind)
    if kinds is not None and (why := why_no_kind(kinds)):
        raise SplitError(why)
    found = mature_loans(loans["vintage"], loans["target"], policy.min_resolved, kinds)
    matured = found.months
    counts = (found.is_mature & loans["vintage"].is_in(matured)).fill_null(False)
    mature = loans.filter(counts)
    left_out = loans.filter(~counts & pl.col("target").is_not_null())
    held_out = policy.test_months + policy.calibration_months
    if len(matured) <= held_out:
        raise SplitError(
            f"{len(matured)} matured vintages{found.why}, of which split.test_months ({policy.test_months}) and "
            f"split.calibration_months ({policy.calibration_months}) leave none to fit on; lower them, lower "
            f"split.min_resolved ({policy.min_resolved}), or add older loans"
        )
    test_from, calibration_from = matured[-policy.test_months], matured[-held_out]
    part = pl.when(pl.col("vintage") >= test_from).then(2).when(pl.col("vintage") >= calibration_from).then(1)
    parted = mature.with_columns(part=part.otherwise(0).cast(pl.Int8)).sort("vintage", "key")
    ordered, is_open = parted.filter(pl.col("target").is_not_null()), parted.filter(pl.col("target").is_null())
    return ordered.with_columns(block=_time_blocks(ordered, policy.folds)), is_open, _by_month(left_out)


def _by_month(loans: pl.DataFrame) -> dict[str, int]:
    counted = loans.group_by("vintage").len().sort("vintage")
    return {f"{month:%Y-%m}": rows for month, rows in counted.drop_nulls().iter_rows()}


def _time_blocks(ordered: pl.DataFrame, folds: int) -> pl.Series:
    """Cuts the training window into folds + 1 blocks of whole vintages and about equal size; -1 in the test set."""
    training = ordered.filter(pl.col("part") < 2)
    months = training.group_by("vintage").len().sort("vintage")
    if months.height <= folds:
        raise SplitError(
            f"the training window has {months.height} vintages, which split.folds ({folds}) cannot cut into "
            f"{folds + 1} blocks; lower split.folds or add older loans"
        )
    middle = (months["len"].cum_sum() - months["len"] / 2) / training.height
    wanted = [min(int(share * (folds + 1)), folds) for share in middle]
    last = len(wanted) - 1
    block = -1
    blocks: list[int] = []
    for i, want in enumerate(wanted):  # every block gets at least one vintage
        block = max(min(want, block + 1), folds - (last - i), block, 0)
        blocks.append(block)
    lookup = pl.DataFrame({"vintage": months["vintage"], "block": blocks})
    return ordered.join(lookup, on="vintage", how="left", maintain_order="left")["block"].fill_null(-1)


def _assemble(
    ordered: pl.DataFrame,
    is_open: pl.DataFrame,
    policy: SplitPolicy,
    rows: int,
    unknown: int,
    left_out: dict[str, int],
) -> LoanSplit:
    parts = dict(enumerate(("fit", "calibration", "test")))
    frames = {name: ordered.filter(pl.col("part") == code) for code, name in parts.items()}
    for name, frame in frames.items():
        _check_classes(frame, name, policy)
    training = ordered.filter(pl.col("part") < 2)
    chosen = {name: frame["row"].to_numpy().astype(np.int64) for name, frame in frames.items()}
    return LoanSplit(
        fit=chosen["fit"],
        calibration=chosen["calibration"],
        test=chosen["test"],
        folds=tuple(_fold(training, number, policy) for number in range(policy.folds)),
        parts={
            name: Part(frame.height, int(frame["target"].sum()), _month(frame, "min"), _month(frame, "max"))
            for name, frame in frames.items()
        },
        rows=rows,
        unknown_outcome=unknown,
        immature=rows - unknown - ordered.height,
        immature_by_month=left_out,
        open_rows=_open_rows(is_open, parts),
    )


def _open_rows(is_open: pl.DataFrame, parts: Mapping[int, str]) -> dict[str, Rows]:
    """Loans with an open outcome by the part that their month is of; without months they are of all parts."""
    if is_open["part"].null_count():
        return {ALL_PARTS: is_open["row"].to_numpy().astype(np.int64)}
    by_part = {name: is_open.filter(pl.col("part") == code)["row"] for code, name in parts.items()}
    return {name: rows.to_numpy().astype(np.int64) for name, rows in by_part.items() if len(rows)}


def _fold(training: pl.DataFrame, number: int, policy: SplitPolicy) -> tuple[Rows, Rows]:
    """In time order: train on the earlier blocks, validate on the next. By hash: train on the other folds."""
    block = pl.col("block")
    if policy.kind == "hash":
        train, validation = block != number, block == number
    else:
        train, validation = block <= number, block == number + 1
    pair = [training.filter(chosen) for chosen in (train, validation)]
    for frame, name in zip(pair, ("training", "validation"), strict=True):
        _check_classes(frame, f"{name} part of fold {number + 1}", policy)
    return pair[0]["row"].to_numpy().astype(np.int64), pair[1]["row"].to_numpy().astype(np.int64)


def _check_classes(frame: pl.DataFrame, name: str, policy: SplitPolicy) -> None:
    defaults = int(frame["target"].sum())
    if min(defaults, frame.height - defaults) < MIN_OF_A_CLASS:
        setting = "split.test_share" if policy.kind == "hash" else "split.test_months"
        raise SplitError(
            f"the {name} set has {frame.height} loans with {defaults} defaults; each set needs defaulted and repaid "
            f"loans: raise {setting} or split.calibration_*, lower split.folds, or check `target.sql`"
        )


def _month(frame: pl.DataFrame, which: str) -> date | None:
    value = frame["vintage"].min() if which == "min" else frame["vintage"].max()
    return value if isinstance(value, date) else None
