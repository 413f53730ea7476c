"""Calibration on months after training: the rule of decision 34 against that of decision 28, at several origins.

    python benchmarks/forward_calibration.py --data ../shared/data

Reads the public files of `public_books.py`. Each origin is the first of the test months: families are fitted with their
default parameters on the months before it. Books without dates have one row. The last two columns are floors: the ECE
of the new map moved to the default rate of the test months, and the mean ECE that chance gives right probabilities.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
from public_books import FILES, first_months, public_loans
from threadpoolctl import threadpool_limits

from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.gates.calibration_evidence import calibration_evidence
from loan_platform.core.evaluation.metrics import auc, ece
from loan_platform.core.models.base import margins
from loan_platform.core.models.blend import blended
from loan_platform.core.models.calibration import Calibration
from loan_platform.core.models.calibration_fits import fit_calibration
from loan_platform.core.models.families import FITTED
from loan_platform.core.models.portable import sigmoid
from loan_platform.core.training.fitting import TrainingData, fit_crosswise
from loan_platform.core.training.forward_calibration import choose_calibration

# Of each book with dates. The months after an origin are as many as the book's own test months.
ORIGINS = {"lending_club": first_months(2009, 9, 2, 9), "retail_loans": first_months(2023, 12, 2, 5)}
FAMILIES = ("scorecard", "gradient_boosting", "blend")


@dataclass(frozen=True)
class Compared:
    """A family on the months after an origin. `before` and `after` are mean PD and ECE."""

    family: str
    auc: float
    observed: float
    before: tuple[float, float]
    after: tuple[float, float]
    method: str
    known_rate: float
    chance: float

    @property
    def errors(self) -> tuple[float, float, float, float]:
        """ECE before, after, with the default rate known, and by chance."""
        return self.before[1], self.after[1], self.known_rate, self.chance

    def __str__(self) -> str:
        told = " | ".join(f"{mean:.4f}, {error:.4f}" for mean, error in (self.before, self.after))
        about = f"{self.family} | {self.auc:.4f} | {self.observed:.4f}"
        return f"{about} | {told} | {self.method} | {self.known_rate:.4f} | {self.chance:.4f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--books", nargs="+", default=list(FILES))
    parsed = parser.parse_args()
    names = "book", "origin", "family", "AUC", "observed", "before: mean PD, ECE", "after: mean PD, ECE", "method"
    print("| " + " | ".join((*names, "ECE, rate known", "ECE by chance")) + " |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | --- | ---: | ---: |")
    with threadpool_limits(1, user_api="blas"):
        for name in parsed.books:
            for line in rows_of(*public_loans(name, parsed.data)):
                print(line, flush=True)


def rows_of(book: Portfolio, loans: pl.DataFrame) -> Iterator[str]:
    """A row for each origin and family, then the means over the origins."""
    found = list[Compared]()
    month = pl.col(book.contract.event_date or "")
    ahead = f"{book.split.test_months}mo"
    for origin in ORIGINS.get(book.name, (None,)):
        known = loans if origin is None else loans.filter(month < pl.lit(origin).dt.offset_by(ahead))
        for row in compared(book, TrainingData.prepare(book, known)):
            found.append(row)
            yield f"| {book.name} | {origin or '-'} | {row}"
    for family in FAMILIES:
        errors = np.mean([row.errors for row in found if row.family == family], axis=0)
        before, after, known_rate, chance = (f"{error:.4f}" for error in errors)
        yield f"| {book.name} | mean | {family} | | | {before} | {after} | | {known_rate} | {chance} |"


def compared(book: Portfolio, data: TrainingData) -> Iterator[Compared]:
    """The families on the test months."""
    start, end = len(data.split.fit), len(data.split.training)
    landed = replace(data, crosswise=np.arange(start, end))
    old, new = cross_margins(landed), cross_margins(data)
    target, window = data.test_target, data.target[start:end]
    for family in FAMILIES:
        ahead, dated = new[family][1], book.split.kind == "out_of_time"
        choice = choose_calibration(data.unseen(new[family][0]), book.split.calibration_months, halfway=True)
        before = next(
            fit for m in ("isotonic", "platt") if (fit := fit_calibration(m, old[family][0], window, halfway=dated))
        )
        log_odds = choice.calibration.log_odds(ahead)
        known_rate = sigmoid(log_odds + calibration_evidence(target, sigmoid(log_odds)).intercept)
        yield Compared(
            family=family,
            auc=auc(target, ahead),
            observed=float(target.mean()),
            before=measured(before, ahead, target),
            after=measured(choice.calibration, ahead, target),
            method=f"{choice.report.method}, {choice.report.months or 'all'}",
            known_rate=ece(target, known_rate),
            chance=calibration_evidence(target, known_rate).chance,
        )


def cross_margins(data: TrainingData) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each family: margins of the crosswise loans and of the test loans."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for family in FAMILIES[:2]:
        model, unseen = fit_crosswise(family, data, FITTED[family].suggest(None))
        found[family] = unseen, margins(model, data.matrix[len(data.split.training) :], data.context.threads)
    (unseen, ahead), (others, others_ahead) = found.values()
    found["blend"] = blended(unseen, others), blended(ahead, others_ahead)
    return found


def measured(calibration: Calibration, margin: np.ndarray, target: np.ndarray) -> tuple[float, float]:
    """Mean PD and ECE."""
    probability = sigmoid(calibration.log_odds(margin))
    return float(probability.mean()), ece(target, probability)


if __name__ == "__main__":
    main()
