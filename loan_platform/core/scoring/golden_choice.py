"""Which loans become golden rows: together they reach every constant of a model that a loan can reach."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.models.portable import sigmoid
from loan_platform.core.scoring.scoring_model import ScoringModel

Rows = NDArray[np.int64]
Regions = NDArray[np.int32]

CHUNK_ROWS = 16_384


@dataclass(frozen=True)
class Reached:
    """The regions that loans fall into: shape [loans, partitions], each from 0 to below the number in `counts`."""

    regions: Regions
    counts: tuple[int, ...]

    @property
    def cells(self) -> NDArray[np.int64]:
        """The regions, numbered through all partitions."""
        sizes = np.array(self.counts, np.int64)
        return self.regions + (np.cumsum(sizes) - sizes)


def reached(model: ScoringModel, features: pl.DataFrame) -> dict[str, Reached]:
    """What loans reach of each part of a bundle.

    | part | its regions |
    | --- | --- |
    | `model` | leaves of trees, pieces of terms, units of a network |
    | `calibration` | lines between its knots |
    | `inputs` | levels of categories, values that are missing, unseen or beyond a limit |
    | `policy` | decisions, risk bands, features that refer to a person |

    Args:
        model: of the bundle.
        features: of the loans, as `ScoringModel.features` computes them.
    """
    matrix = model.design.matrix(features)
    margin = model.model.margin(matrix)
    return {
        "model": Reached(model.model.regions(matrix), model.model.region_counts),
        "calibration": _stacked([(model.calibration.regions(margin), model.calibration.region_count)]),
        "inputs": _inputs(model, features),
        "policy": _policy(model, features, sigmoid(model.calibration.log_odds(margin))),
    }


def coverage(model: ScoringModel, features: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How many regions each part of a bundle has, and how many of them these loans reach."""
    return {
        part: {"regions": sum(found.counts), "reached": len(np.unique(found.cells))}
        for part, found in reached(model, features).items()
    }


def covering_rows(model: ScoringModel, features: pl.DataFrame, most: int) -> list[int]:
    """Numbers of the loans next to the cut-offs, and of loans that reach together what any loan reaches.

    The region that the fewest loans reach comes first: its loan reaches many others, so few loans are needed.

    Args:
        model: of the bundle.
        features: of the loans.
        most: number of loans to choose.
    """
    chosen = dict.fromkeys(_beside_cut_offs(model, features))
    cells, counts, first = _first_loans(model, features)
    by_loan = {loan: row for row, loan in enumerate(np.unique(first[counts > 0]).tolist())}
    own = _cells(model, features[list(by_loan)]) if by_loan else np.zeros((0, 0), np.int64)
    seen = np.zeros(cells, np.bool_)
    for cell in np.argsort(counts, kind="stable").tolist():
        if counts[cell] == 0 or seen[cell]:
            continue
        if len(chosen) == most:
            break
        loan = int(first[cell])
        chosen[loan] = None
        seen[own[by_loan[loan]]] = True
    return list(chosen)[:most]


def _first_loans(model: ScoringModel, features: pl.DataFrame) -> tuple[int, Rows, Rows]:
    """Number of cells; for each of them, how many loans reach it, and the first of them."""
    total = sum(sum(part.counts) for part in reached(model, features.head(1)).values())
    counts, first = np.zeros(total, np.int64), np.zeros(total, np.int64)
    for start in reversed(range(0, features.height, CHUNK_ROWS)):
        cells = _cells(model, features.slice(start, CHUNK_ROWS))
        counts += np.bincount(cells.ravel(), minlength=total)
        loans = np.arange(start, start + len(cells))[:, None]
        # Of several loans of a cell the last one assigned stays.
        first[cells[::-1]] = np.broadcast_to(loans[::-1], cells.shape)
    return total, counts, first


def _cells(model: ScoringModel, features: pl.DataFrame) -> NDArray[np.int64]:
    parts = tuple(reached(model, features).values())
    return Reached(np.hstack([part.regions for part in parts]), sum((part.counts for part in parts), ())).cells


def _beside_cut_offs(model: ScoringModel, features: pl.DataFrame) -> Iterator[int]:
    """The last loan below each cut-off of the policy, and the first one from it on."""
    probability = sigmoid(model.log_odds(features))
    order = np.argsort(probability, kind="stable")
    rule = model.policy.decision
    for cut_off in (rule.approve_below, rule.decline_from, rule.medium_from, rule.high_from):
        at = int(np.searchsorted(probability[order], cut_off, side="left"))
        yield from order[max(at - 1, 0) : at + 1].tolist()


def _inputs(model: ScoringModel, features: pl.DataFrame) -> Reached:
    found: list[tuple[NDArray[np.integer], int]] = []
    for column in model.design.columns:
        if column.level is None:
            value = features[column.feature].cast(pl.Float64).to_numpy()
            beyond = [value < column.low] if column.low is not None else []
            beyond += [value > column.high] if column.high is not None else []
            states = [np.isnan(value), *beyond]
            found.append((np.select(states, range(1, len(states) + 1), 0), len(states) + 1))
    for name in model.design.features:
        levels = [level for c in model.design.columns if c.feature == name for level in c.taken]
        if levels:
            values = features[name]
            codes = values.cast(pl.Enum(levels), strict=False).to_physical().cast(pl.Int64)
            unseen = values.is_not_null() & codes.is_null()
            code = codes.fill_null(len(levels)).to_numpy() + unseen.cast(pl.Int64).to_numpy()
            found.append((code, len(levels) + 2))
    return _stacked(found)


def _policy(model: ScoringModel, features: pl.DataFrame, probability: NDArray[np.float64]) -> Reached:
    rule = model.policy.decision
    found: list[tuple[NDArray[np.integer], int]] = [
        (rule.decisions(probability).to_physical().to_numpy(), 3),
        (rule.risks(probability).to_physical().to_numpy(), 3),
    ]
    found += [(referred.to_numpy().astype(np.int32), 2) for referred in model.referred(features).iter_columns()]
    return _stacked(found)


def _stacked(partitions: list[tuple[NDArray[np.integer], int]]) -> Reached:
    columns = [regions.astype(np.int32) for regions, _ in partitions]
    return Reached(np.stack(columns, axis=1), tuple(count for _, count in partitions))
