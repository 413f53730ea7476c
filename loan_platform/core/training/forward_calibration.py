"""Chooses the calibration by rolling origins: fitted on the loans before a month, judged on the months after it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from loan_platform.core.evaluation.forward_report import CalibrationReport, OriginReport
from loan_platform.core.evaluation.gates.calibration_evidence import rate_ratio
from loan_platform.core.evaluation.metrics import ece
from loan_platform.core.models.base import Flags, Floats
from loan_platform.core.models.calibration import Calibration
from loan_platform.core.models.calibration_fits import Method, fit_calibration, fit_platt
from loan_platform.core.models.portable import sigmoid
from loan_platform.core.training.crosswise import Months

METHODS: tuple[Method, ...] = ("beta", "platt", "isotonic")  # as preferred where none is better (decision 34)
PLAIN: Method = "platt"
TOLERANCE = 0.001  # ECE that a preferred method may lose
TOLERANCE_OF_RATE = 0.02  # and share of the default rate: where few default, every ECE is small
HORIZON, STEP = 6, 2  # months after an origin, and from one origin to the next
MIN_HISTORY, MIN_AFTER = 3, 2  # months
MIN_ROWS = 200
OWN_ORIGINS = 0.5  # a method is compared if it was fitted itself at so many origins
GRAIN = 1 / 64  # log-odds to which a comparison rounds the margins: a fit on few different margins is fast
PARTS = 5  # of a book without dates


@dataclass(frozen=True)
class Unseen:
    """Loans with margins of models that have not seen them. `months` rises; None without dates."""

    margin: Floats
    target: Floats
    months: Months | None

    def take(self, chosen: Flags | slice) -> "Unseen":
        """Some of the loans."""
        months = None if self.months is None else self.months[chosen]
        return Unseen(self.margin[chosen], self.target[chosen], months)

    def newest(self, months: int | None) -> "Unseen":
        """The loans of the last `months`; None: all."""
        if months is None or self.months is None:
            return self
        return self.take(self.months > self.months[-1] - months)


@dataclass(frozen=True)
class Origin:
    """One comparison: loans to calibrate on, and later ones (without dates, other ones) to judge on."""

    past: Unseen
    after: Unseen
    month: int | None


@dataclass(frozen=True)
class _Ahead:
    """A candidate at an origin: its probabilities of the loans after it. `own` is False where Platt stood in."""

    origin: Origin
    method: Method
    own: bool
    probability: Floats
    ece: float

    def report(self) -> OriginReport:
        """The figures of the months after the origin."""
        after, mean = self.origin.after, float(self.probability.mean())
        rows, defaults = len(after.target), int(after.target.sum())
        last = 0 if after.months is None else int(after.months[-1])
        return OriginReport(
            first=_month(self.origin.month or 0),
            last=_month(last),
            rows=rows,
            defaults=defaults,
            mean_probability=mean,
            rate_ratio=rate_ratio(defaults, rows, mean),
            ece=self.ece,
            method=self.method,
        )


@dataclass(frozen=True)
class ChosenCalibration:
    """The map, fitted on its whole window, and how it was chosen."""

    calibration: Calibration
    report: CalibrationReport


def choose_calibration(unseen: Unseen, window: int, halfway: bool) -> ChosenCalibration:
    """Compare the methods on all loans and on the last `window` months, by mean ECE over the origins.

    The first method of the order beta, Platt, isotonic on all loans, then on the window, is taken whose ECE is within
    0.001, and 2 % of the default rate, of the lowest. Platt on all loans where nothing can be compared. At an origin
    with too few loans for a method, Platt stands in for it. Where it stands in at most origins, the method is not
    compared: the errors would be Platt's. Margins are rounded to 1/64 for the comparison, and for it alone.

    Args:
        unseen: loans of the crosswise fits.
        window: months of the policy's calibration window.
        halfway: see `fit_calibration`.
    """
    compared = replace(unseen, margin=np.round(unseen.margin / GRAIN) * GRAIN)
    origins = tuple(_origins(compared))
    windows = (None,) if unseen.months is None else (None, window)
    fitted = [c for c in product(windows, METHODS) if _fit(compared, c, halfway)] if origins else []
    ahead = {c: [_ahead(origin, c, halfway) for origin in origins] for c in fitted}
    errors = {c: float(np.mean([one.ece for one in rows])) for c, rows in ahead.items() if _mostly_own(rows)}
    lowest, rate = min(errors.values(), default=0.0), float(unseen.target.mean())
    accepted = lowest + min(TOLERANCE, TOLERANCE_OF_RATE * min(rate, 1 - rate))
    chosen = next((c for c, error in errors.items() if error <= accepted), (None, PLAIN))
    calibration = _fit_or_platt(unseen, chosen, halfway)
    report = CalibrationReport(
        method=calibration.method,
        months=chosen[0],
        loans=len(unseen.newest(chosen[0]).target),
        errors={_name(c): error for c, error in errors.items()},
        origins=tuple(one.report() for one in ahead.get(chosen, []) if one.origin.month is not None),
    )
    return ChosenCalibration(calibration, report)


def _origins(unseen: Unseen) -> Iterator[Origin]:
    if unseen.months is None:
        part = np.arange(len(unseen.target)) % PARTS
        pairs = [(part != i, part == i, None) for i in range(PARTS)]
    else:
        months, first, last = unseen.months, int(unseen.months[0]), int(unseen.months[-1])
        begin = first + max((last - first + 1) // 3, MIN_HISTORY)
        starts = range(begin, last - MIN_AFTER + 2, STEP)
        pairs = [(months < m, (months >= m) & (months < m + HORIZON), m) for m in starts]
    for past, after, month in pairs:
        if _enough(unseen.target[past]) and _enough(unseen.target[after]):
            yield Origin(unseen.take(past), unseen.take(after), month)


def _enough(target: Floats) -> bool:
    return len(target) >= MIN_ROWS and 0 < target.sum() < len(target)


def _fit(unseen: Unseen, candidate: tuple[int | None, Method], halfway: bool) -> Calibration | None:
    loans = unseen.newest(candidate[0])
    if not 0 < loans.target.sum() < len(loans.target):
        return None
    return fit_calibration(candidate[1], loans.margin, loans.target, halfway)


def _fit_or_platt(unseen: Unseen, candidate: tuple[int | None, Method], halfway: bool) -> Calibration:
    """The candidate, or Platt on the same or on all loans where they do not support it."""
    tried: tuple[tuple[int | None, Method], ...] = (candidate, (candidate[0], PLAIN), (None, PLAIN))
    found = next((fit for c in tried if (fit := _fit(unseen, c, halfway))), None)
    return found or fit_platt(unseen.margin, unseen.target)


def _ahead(origin: Origin, candidate: tuple[int | None, Method], halfway: bool) -> _Ahead:
    own = _fit(origin.past, candidate, halfway)
    fitted = own or _fit_or_platt(origin.past, candidate, halfway)
    probability = sigmoid(fitted.log_odds(origin.after.margin))
    return _Ahead(origin, fitted.method, own is not None, probability, ece(origin.after.target, probability))


def _mostly_own(rows: list[_Ahead]) -> bool:
    return sum(one.own for one in rows) >= OWN_ORIGINS * len(rows)


def _month(number: int) -> str:
    return str(np.datetime64(number, "M"))


def _name(candidate: tuple[int | None, Method]) -> str:
    months, method = candidate
    return f"{method}, {'all loans' if months is None else f'last {months} months'}"


def month_numbers(dates: NDArray[np.datetime64]) -> Months:
    """Months since 1970-01."""
    return dates.astype("datetime64[M]").astype(np.int64)
