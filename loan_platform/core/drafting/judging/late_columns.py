"""Columns whose values, and not only whose names, show that they were written after the decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.constants import TARGET
from loan_platform.core.drafting.judging.judged_columns import STRONG_AUC, JudgedColumn
from loan_platform.core.drafting.judging.statistics import MAX_ROWS
from loan_platform.core.drafting.reading.survey import RawColumn
from loan_platform.core.drafting.reading.vocabulary import DECIDED, ORDINARY, PAID_OUT, find_phrase
from loan_platform.core.evaluation.leak_signs.column_signs import column_signs
from loan_platform.core.evaluation.leak_signs.file_order import order_sign
from loan_platform.core.evaluation.leak_signs.made_from import made_from
from loan_platform.core.evaluation.leak_signs.open_loans import open_loans_sign
from loan_platform.core.evaluation.leaks import order_groups, places
from loan_platform.core.evaluation.row_sample import sampled_rows

MAX_CELLS_AUC = 0.85  # lower end; what the gates accept of a feature
MAX_ORDINARY_CELLS_AUC = 0.95  # of a column that a lender looks at, such as a balance
JUMP_AUC, JUMP = 0.75, 0.1  # a column this strong, and this far above the next one


@dataclass(frozen=True)
class Loans:
    """Loans on which columns are judged.

    Attributes:
        rows: typed, with the outcome.
        event: name of the date of the decision, or None; `event_source`: its raw column.
    """

    rows: pl.DataFrame
    event: str | None
    event_source: RawColumn | None

    @cached_property
    def sample(self) -> NDArray[np.int64]:
        """The rows that columns are judged on."""
        return sampled_rows(self.rows.height, MAX_ROWS)

    @cached_property
    def target(self) -> pl.Series:
        """Outcome of each loan of the sample."""
        return self.rows[TARGET][self.sample]

    @cached_property
    def vintage(self) -> pl.Series | None:
        """Month of each loan of the sample."""
        return self.rows[self.event][self.sample].dt.truncate("1mo") if self.event else None

    @cached_property
    def position(self) -> NDArray[np.float64]:
        """The place in the files of each loan of the sample."""
        found = places(self.rows)
        return self.sample.astype(np.float64) if found is None else found[self.sample]

    @cached_property
    def groups(self) -> pl.Series | None:
        """File and month of each loan of the sample; None: all are one group."""
        found = order_groups(self.rows, self.event)
        return None if found is None else found[self.sample]


def late_evidence(name: str, source: RawColumn, loans: Loans) -> str | None:
    """What the values of a column show of its being written later, as part of a sentence; None: nothing.

    Args:
        name: of the column; `source`: its raw column.
        loans: all loans with their outcomes.
    """
    values, target = loans.rows[name][loans.sample], loans.target
    known = target.is_not_null()
    y = target.filter(known).to_numpy().astype(np.float64)
    limit = MAX_ORDINARY_CELLS_AUC if set(source.words) & ORDINARY else MAX_CELLS_AUC
    found = list(column_signs(values.filter(known), y, limit))
    position, groups = loans.position[known.to_numpy()], loans.groups
    for sign in (
        order_sign(values.filter(known), y, position, None if groups is None else groups.filter(known)),
        open_loans_sign(values, target, loans.vintage),
    ):
        found += [sign] if sign else []
    return found[0].evidence if found else None


def paid_out_later(source: RawColumn, event: RawColumn | None) -> str | None:
    """Why a date of the disbursement follows the decision; None where it is none, or is all that is known of it."""
    phrase = find_phrase(source.words, PAID_OUT)
    if event is None or phrase is None or source.reading.type != "date" or not find_phrase(event.words, DECIDED):
        return None
    return f"it is the date of what follows the decision ({' '.join(phrase)})"


def made_from_leaks(judged: Sequence[JudgedColumn], loans: Loans) -> dict[str, str]:
    """The reason for each column that is made from a leak, by name."""
    leaks = frozenset(item.column.name for item in judged if item.leak)
    sure = frozenset(item.column.name for item in judged if item.evidence)
    columns = {item.column.name: loans.rows[item.column.name] for item in judged}
    found = made_from(columns, leaks, sure, loans.rows[loans.event] if loans.event else None)
    return {name: f"it is made from {leak!r}, which is probably known later" for name, leak in found.items()}


def jumps(judged: Sequence[JudgedColumn]) -> str | None:
    """The column that is far above all others that a model may use, below what is called strong anyway; or None."""
    usable = sorted((item for item in judged if not item.leak and not item.protected), key=lambda item: -item.stats.auc)
    if len(usable) < 2 or not JUMP_AUC <= usable[0].stats.auc < STRONG_AUC:
        return None
    return usable[0].column.name if usable[0].stats.auc - usable[1].stats.auc >= JUMP else None
