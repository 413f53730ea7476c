"""AUC on months after training of averaged boosters and of pairs in the scorecard, against the families of today.

    python benchmarks/averaged_models.py --data ../shared/data --books lending_club

Each origin is the first of the months that are ranked. Families are fitted with their default parameters on the months
before it. No loan is ranked at two origins, and none is of the book's own test set. A book without dates is cut into
five parts, each of which is ranked by the models of the other four.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from public_books import first_months, public_loans
from threadpoolctl import threadpool_limits

from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.bootstrap import Z, delong_variance, placements
from loan_platform.core.evaluation.metrics import auc
from loan_platform.core.models.base import FitContext, FittedModel, Flags, Floats, Matrix, Sample
from loan_platform.core.models.blend import blended
from loan_platform.core.models.families import FITTED
from loan_platform.core.models.logistic import fit_logistic
from loan_platform.core.training.fitting import TrainingData

ORIGINS = {  # first months, and how many months are ranked from each
    "lending_club": (first_months(2009, 5, 4, 5), 4),
    "retail_loans": (first_months(2023, 12, 2, 4), 2),
}
PARTS = 5  # of a book without dates
MODELS = 5  # of a mean
REPETITIONS = 3  # with other seeds; their AUCs are meaned, because one seed alone moves an AUC by .002
FEWER_ROUNDS = {"rounds": 50, "learning_rate": 0.2}  # of five boosters that cost a request as much as one
STRONGEST = 10  # columns of the scorecard that are paired
PAIR_C = 0.01  # inverse strength of the penalty on pairs
TREES_OF_PAIRS: dict[str, Any] = {
    "max_depth": 2,  # a leaf reads two columns
    "learning_rate": 0.06,
    "min_child_weight": 20.0,
    "subsample": 0.7,
    "colsample_bytree": 0.6,
    "reg_lambda": 3.0,
}
ROUNDS_OF_PAIRS = 100


@dataclass(frozen=True)
class Origin:
    """Loans to fit on, and later (without dates, other) loans to rank."""

    name: str
    past: Sample
    context: FitContext
    matrix: Matrix
    target: Floats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--books", nargs="+", default=["lending_club", "retail_loans", "credit_cards"])
    parsed = parser.parse_args()
    with threadpool_limits(1, user_api="blas"):
        for name in parsed.books:
            book, loans = public_loans(name, parsed.data)
            for line in rows_of(book, list(origins(book, loans))):
                print(line, flush=True)


def rows_of(book: Portfolio, found: list[Origin]) -> Iterator[str]:
    """The AUC of each candidate by origin, then its mean gain over the family that it would replace."""
    yield f"\n{book.name}: " + ", ".join(f"{origin.name} ({len(origin.target):,} loans)" for origin in found)
    yield "| candidate | " + " | ".join(origin.name for origin in found) + " | mean | gain, 95 % interval |"
    yield "| --- |" + " ---: |" * (len(found) + 2)
    ranked = [candidates(origin) for origin in found]
    for name, (today, _) in ranked[0].items():
        areas = [
            np.mean([auc(origin.target, margin) for margin in one[name][1]])
            for origin, one in zip(found, ranked, strict=True)
        ]
        cells = " | ".join(f"{area:.4f}" for area in (*areas, np.mean(areas)))
        sets = [(o.target, one[name][1], one[today][1]) for o, one in zip(found, ranked, strict=True)] if today else []
        yield f"| {name} | {cells} | {told(sets) if sets else '-'} |"


def told(sets: list[tuple[Floats, list[Floats], list[Floats]]]) -> str:
    """The mean gain over the origins, with DeLong's paired 95 % interval.

    An AUC is a mean of placements, so the mean AUC of the repetitions is that of their mean placements.
    """
    gains, variance = list[float](), 0.0
    for target, challenger, champion in sets:
        (bad, good), (bad_today, good_today) = (mean_placements(target == 1, m) for m in (challenger, champion))
        gains.append(float(bad.mean() - bad_today.mean()))
        variance += delong_variance(bad - bad_today, good - good_today) / len(sets) ** 2
    gain, half = np.mean(gains), Z * np.sqrt(variance)
    return f"{gain:+.4f} ({gain - half:+.4f} to {gain + half:+.4f})"


def mean_placements(bad: Flags, repetitions: list[Floats]) -> tuple[Floats, Floats]:
    """Placements of the defaulted and of the repaid loans, meaned over the repetitions of a model."""
    on_bad, on_good = zip(*(placements(bad, margin) for margin in repetitions), strict=True)
    return np.mean(on_bad, axis=0), np.mean(on_good, axis=0)


def origins(book: Portfolio, loans: pl.DataFrame) -> Iterator[Origin]:
    """The rolling origins of a book."""
    if book.name not in ORIGINS:
        data = TrainingData.prepare(book, loans)
        end = len(data.split.training)
        part = np.arange(end) % PARTS
        for i in range(PARTS):
            past, ahead = np.flatnonzero(part != i), np.flatnonzero(part == i)
            sample = Sample(data.matrix[past], data.target[past])
            yield Origin(f"part {i + 1}", sample, data.context, data.matrix[ahead], data.target[ahead])
        return
    starts, ahead = ORIGINS[book.name]
    for start in starts:
        known = loans.filter(pl.col(book.contract.event_date or "") < pl.lit(start).dt.offset_by(f"{ahead}mo"))
        split = book.split.model_copy(update={"test_months": ahead})
        data = TrainingData.prepare(book.model_copy(update={"split": split}), known)
        end = len(data.split.training)
        sample = Sample(data.matrix[:end], data.target[:end])
        yield Origin(f"{start:%Y-%m}", sample, data.context, data.matrix[end:], data.test_target)


def candidates(origin: Origin) -> dict[str, tuple[str | None, list[Floats]]]:
    """Of each candidate the family that it would replace (None: a family of today), and its margins by repetition."""
    card = fit("scorecard", origin, np.arange(len(origin.past.target)))
    scorecard, paired = card.margin(origin.matrix), products(origin, card)
    found: dict[str, tuple[str | None, list[Floats]]] = {}
    for repetition in range(REPETITIONS):
        boosters = boosted(origin, repetition)
        one = boosters.pop("gradient_boosting")
        pairs = {"products": paired, "trees of pairs": trees_of_pairs(origin, card, repetition)}
        margins: dict[str, tuple[str | None, Floats]] = {
            "scorecard": (None, scorecard),
            "gradient_boosting": (None, one),
            "blend": (None, blended(scorecard, one)),
            **{f"gradient_boosting, {name}": ("gradient_boosting", margin) for name, margin in boosters.items()},
            **{f"blend, {name}": ("blend", blended(scorecard, margin)) for name, margin in boosters.items()},
            **{f"scorecard, {name}": ("scorecard", margin) for name, margin in pairs.items()},
            **{f"blend, {name}": ("blend", blended(margin, one)) for name, margin in pairs.items()},
        }
        fewer = blended(scorecard, boosters["5 folds, as many trees"])
        margins["blend, 5 folds, as many trees, over 165 rounds"] = ("blend, 165 rounds", fewer)
        for name, (today, margin) in margins.items():
            found.setdefault(name, (today, []))[1].append(margin)
    return found


def boosted(origin: Origin, repetition: int) -> dict[str, Floats]:
    """Margins of one booster, and of means of five."""
    rows, seeds = np.arange(len(origin.past.target)), range(repetition * MODELS, (repetition + 1) * MODELS)
    parts = np.random.default_rng(repetition).permutation(len(rows)) % MODELS

    def meaned(samples: list[NDArray[np.int64]], **params: float) -> Floats:
        fitted = (
            fit("gradient_boosting", origin, part, seed, **params) for part, seed in zip(samples, seeds, strict=False)
        )
        return np.mean([model.margin(origin.matrix) for model in fitted], axis=0)

    folds = [np.flatnonzero(parts != i) for i in range(MODELS)]
    bags = [np.sort(np.random.default_rng(seed).choice(rows, len(rows))) for seed in seeds]
    return {
        "gradient_boosting": meaned([rows]),
        "5 seeds": meaned([rows] * MODELS),
        "5 bags": meaned(bags),
        "5 folds": meaned(folds),
        "5 folds, as many trees": meaned(folds, **FEWER_ROUNDS),
        "165 rounds": meaned([rows], rounds=165),
    }


def fit(family: str, origin: Origin, rows: NDArray[np.int64], seed: int = 0, **params: float) -> FittedModel:
    """A family on some of the past loans, with its default parameters."""
    chosen = Sample(origin.past.matrix[rows], origin.past.target[rows])
    context = replace(origin.context, seed=origin.context.seed + seed, threads=1)
    return FITTED[family].fit(chosen, context, {**FITTED[family].suggest(None), **params})


def products(origin: Origin, card: FittedModel) -> Floats:
    """Margins of a logistic regression on the scorecard's terms and on the products of its ten strongest ones."""
    strongest = np.sort(np.argsort(card.importance)[::-1][:STRONGEST])
    first, second = (strongest[side] for side in np.triu_indices(len(strongest), 1))

    def columns(matrix: Matrix) -> tuple[Floats, Floats]:
        terms = card.contributions(matrix)
        return card.margin(matrix), terms[:, first] * terms[:, second]

    margin, paired = columns(origin.past.matrix)
    centre, spread = paired.mean(axis=0), np.maximum(paired.std(axis=0), 1e-9)
    x = np.column_stack((margin * 10, (paired - centre) / spread)).astype(np.float32)  # the margin is hardly penalised
    free: Flags = np.zeros(x.shape[1], bool)
    fitted = fit_logistic(x, origin.past.target, PAIR_C, free)
    margin, paired = columns(origin.matrix)
    return np.column_stack((margin * 10, (paired - centre) / spread)) @ fitted.coefficients


def trees_of_pairs(origin: Origin, card: FittedModel, seed: int) -> Floats:
    """Margins of the scorecard plus trees that each read pairs of columns."""
    import xgboost

    margin, ahead = card.margin(origin.past.matrix), card.margin(origin.matrix)
    settings = {
        **TREES_OF_PAIRS,
        "objective": "binary:logistic",
        "tree_method": "hist",
        "monotone_constraints": origin.context.monotone,
        "seed": origin.context.seed + seed,
        "nthread": 1,
    }
    data = xgboost.DMatrix(origin.past.matrix, origin.past.target, base_margin=margin)
    booster = xgboost.train(settings, data, num_boost_round=ROUNDS_OF_PAIRS)
    return booster.predict(xgboost.DMatrix(origin.matrix, base_margin=ahead), output_margin=True).astype(np.float64)


if __name__ == "__main__":
    main()
