"""How the AUC of a model falls with the months since its training window ended, on the time-ordered folds."""

import numpy as np

from loan_platform.core.evaluation.forward_report import AgeReport
from loan_platform.core.evaluation.metrics import auc
from loan_platform.core.models.base import Floats
from loan_platform.core.training.crosswise import Months

AGES = (3, 6, 9, 12, 18, 24)  # last month of each step
MIN_EVENTS = 30  # defaults, and repaid loans, of a fold's part


def auc_by_age(months: tuple[Months, ...], targets: tuple[Floats, ...], margins: tuple[Floats, ...]) -> list[AgeReport]:
    """Mean AUC over the folds for each step of months ahead, weighted by loans.

    Each fold's model was fitted on all earlier months. The arguments hold the validation loans of each fold. Parts with
    fewer than 30 defaults or repaid loans are left out.
    """
    found: list[AgeReport] = []
    for begin, end in zip((0, *AGES), AGES, strict=False):
        parts = list(_parts(months, targets, margins, begin, end))
        rows = sum(rows for rows, _ in parts)
        if rows:
            area = sum(rows * area for rows, area in parts) / rows
            found.append(AgeReport(first=begin + 1, last=end, rows=rows, folds=len(parts), auc=area))
    return found


def _parts(
    months: tuple[Months, ...], targets: tuple[Floats, ...], margins: tuple[Floats, ...], begin: int, end: int
) -> list[tuple[int, float]]:
    """Loans and AUC of each fold in one step of months ahead."""
    parts: list[tuple[int, float]] = []
    for month, target, margin in zip(months, targets, margins, strict=True):
        ahead = month - month.min()
        at = (ahead >= begin) & (ahead < end)
        defaults = target[at].sum()
        if min(defaults, at.sum() - defaults) >= MIN_EVENTS:
            parts.append((int(at.sum()), auc(target[at], np.asarray(margin)[at])))
    return parts
