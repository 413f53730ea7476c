"""Calibration on months after training: the rule of decision 34 against that of decision 28, at several origins.

    python benchmarks/forward_calibration.py --data ../shared/data

Reads `loanstats_2007_2011`, `UCI_Credit_Card` and `Default_Fin` of the folder. Each origin is the first of the test
months: families are fitted with their default parameters on the months before it. Books without dates have one row.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from loan_platform.adapters.warehouse.warehouse import Warehouse
from loan_platform.cli.books import book_folder
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.policies import Source
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.checking.book_check import load_book
from loan_platform.core.evaluation.metrics import auc, ece
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.models.base import margins
from loan_platform.core.models.blend import blended
from loan_platform.core.models.calibration import Calibration
from loan_platform.core.models.calibration_fits import fit_calibration
from loan_platform.core.models.families import FITTED
from loan_platform.core.models.portable import sigmoid
from loan_platform.core.staging.table import Table
from loan_platform.core.training.fitting import TrainingData, fit_crosswise
from loan_platform.core.training.forward_calibration import choose_calibration

FILES = {
    "lending_club": "lendingclub/loanstats_2007_2011.csv.gz",
    "credit_cards": "uci_credit_card/UCI_Credit_Card.csv.gz",
    "bank_customers": "default_fin/Default_Fin.csv",
}
ORIGINS = tuple(date(2009 + (8 + 2 * i) // 12, (8 + 2 * i) % 12 + 1, 1) for i in range(9))  # 2009-09 to 2011-01
AHEAD = 8  # months
FAMILIES = ("scorecard", "gradient_boosting", "blend")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    folder = parser.parse_args().data
    print("| book | origin | family | AUC | observed | before: mean PD, ECE | after: mean PD, ECE | method |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | --- |")
    with threadpool_limits(1, user_api="blas"):
        for name, file in FILES.items():
            for line in rows_of(load_book(book_folder(name)), folder / file):
                print(line, flush=True)


def rows_of(book: Portfolio, file: Path) -> Iterator[str]:
    """A row for each origin and family, then the means over the origins."""
    loans, found = features(book, file), list[tuple[str, float, float]]()
    month = pl.col(book.contract.event_date or "")
    for origin in ORIGINS if book.contract.event_date and book.split.kind == "out_of_time" else (None,):
        known = loans if origin is None else loans.filter(month < pl.lit(origin).dt.offset_by(f"{AHEAD}mo"))
        split = book.split if origin is None else book.split.model_copy(update={"test_months": AHEAD})
        data = TrainingData.prepare(book.model_copy(update={"split": split}), known)
        for family, before, after, method, rest in compared(book, data):
            found.append((family, before[1], after[1]))
            told = " | ".join(f"{mean:.4f}, {error:.4f}" for mean, error in (before, after))
            yield f"| {book.name} | {origin or '-'} | {family} | {rest} | {told} | {method} |"
    for family in FAMILIES:
        errors = np.array([row[1:] for row in found if row[0] == family])
        means = " | ".join(f"{error:.4f}" for error in errors.mean(axis=0))
        yield f"| {book.name} | mean | {family} | | | {means} | |"


def compared(
    book: Portfolio, data: TrainingData
) -> Iterator[tuple[str, tuple[float, float], tuple[float, float], str, str]]:
    """Family, (mean PD, ECE) before and after, chosen method, AUC and observed rate."""
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
        told = f"{choice.report.method}, {choice.report.months or 'all'}"
        rest = f"{auc(target, ahead):.4f} | {target.mean():.4f}"
        yield family, measured(before, ahead, target), measured(choice.calibration, ahead, target), told, rest


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


def features(book: Portfolio, file: Path) -> pl.DataFrame:
    """The book's features of a public file."""
    table, warehouse = Table.from_contract(book.contract), Warehouse()
    with tempfile.TemporaryDirectory(prefix="forward-calibration-") as folder:
        raw, rejects, accepted, quarantined = (Path(folder, f"{i}.parquet") for i in range(4))
        warehouse.read_raw([file], table, Source(path="-"), raw, rejects)
        warehouse.stage(raw, table, accepted, quarantined, rejects=rejects)
        loans = pl.read_parquet(accepted)
    about = [name for name in (book.contract.entity_key, book.contract.event_date, TARGET) if name]
    computed = FeatureSet(book.contract, book.training.use_pricing).compute(loans)
    return pl.concat([loans.select(about), computed], how="horizontal")


if __name__ == "__main__":
    main()
