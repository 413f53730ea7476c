"""Applicants: latent traits, income, score, debts, the loan they ask for. Marginals after the real sample."""

from dataclasses import dataclass

import numpy as np

from loan_platform.sample_data.lending_club.columns import Bools, Floats, Ints
from loan_platform.sample_data.lending_club.draws import LOGISTIC_TO_NORMAL, mixed, normal_rank, pick, sigmoid
from loan_platform.sample_data.lending_club.months import month_number, years_since_2012

EMP_LENGTHS = (
    "< 1 year", "1 year", "2 years", "3 years", "4 years", "5 years", "6 years", "7 years", "8 years",
    "9 years", "10+ years", None,
)  # fmt: skip
EMP_LENGTH_SHARES = (0.087, 0.071, 0.096, 0.080, 0.065, 0.064, 0.047, 0.044, 0.045, 0.039, 0.362)
NO_EMPLOYMENT = EMP_LENGTHS.index(None)
HOMES = ("RENT", "OWN", "MORTGAGE", "ANY")
RENT, OWN, MORTGAGE, ANY = range(4)
HOME_SHARES = (0.40, 0.11, 0.49)
VERIFICATIONS = ("Not Verified", "Source Verified", "Verified")
VERIFICATION_SHARES = (0.33, 0.38, 0.29)
PURPOSES = (
    "debt_consolidation", "credit_card", "home_improvement", "other", "major_purchase", "medical", "car",
    "small_business", "moving", "vacation", "house", "wedding", "renewable_energy",
)  # fmt: skip
PURPOSE_SHARES = (0.565, 0.215, 0.068, 0.060, 0.022, 0.013, 0.011, 0.012, 0.008, 0.008, 0.006, 0.003, 0.001)
PURPOSE_SHARES_DRIFTED = (0.25, 0.05, 0.03, 0.25, 0.03, 0.10, 0.01, 0.20, 0.05, 0.02, 0.01, 0.0, 0.0)
"""Where `Drift.purpose_shift` moves applicants: away from refinancing, to business, medical and other."""
NEVER = "2059-12"
FIRST_JOINT = month_number("2015-10")
JOINT_SHARE_FROM_2017 = 0.125
LOAN_CAP_RAISED = month_number("2016-03")


@dataclass(frozen=True)
class Drift:
    """Change of the applicants from a vintage month on, before risk is drawn (so outcomes follow).

    income_factor multiplies incomes (debts stay, so dti rises); fico_shift adds points; purpose_shift is
    the share (0..1) of applicants who move to the drifted purpose mix.
    """

    start: str
    income_factor: float = 1.0
    fico_shift: float = 0.0
    purpose_shift: float = 0.0

    def __post_init__(self) -> None:
        month_number(self.start)
        if self.income_factor <= 0 or not 0 <= self.purpose_shift <= 1:
            raise ValueError("drift needs income_factor > 0 and purpose_shift within 0..1")


@dataclass(frozen=True)
class Traits:
    """Independent standard normals behind the columns; `soft` is seen by the lender and in no column."""

    quality: Floats
    wealth: Floats
    age: Floats
    leverage: Floats
    seeking: Floats
    soft: Floats


@dataclass(frozen=True)
class Applicants:
    """Application fields, all of shape (rows,); category fields are numbers of the tuples above."""

    months: Ints
    joint: Bools
    annual_inc: Floats
    dti: Floats
    fico: Floats
    loan_amnt: Floats
    term: Floats
    emp_length: Ints
    home: Ints
    verification: Ints
    purpose: Ints


def draw_traits(rng: np.random.Generator, rows: int) -> Traits:
    """Draw the latent traits of `rows` people."""
    return Traits(*(rng.standard_normal(rows) for _ in range(6)))


def draw_applicants(rng: np.random.Generator, months: Ints, traits: Traits, drift: Drift | None) -> Applicants:
    """Draw the application form and score of each person for the given issue months."""
    change = drift or Drift(NEVER)
    drifted = months >= month_number(change.start)
    income_factor = np.where(drifted, change.income_factor, 1.0)
    joint = rng.random(len(months)) < _joint_share(months)
    income_z = mixed(rng, (0.85, traits.wealth), (0.2, traits.age))
    income = _income(rng, months, income_z, joint)
    loan_z = mixed(rng, (0.5, income_z), (0.1, traits.leverage), (0.1, traits.quality))
    return Applicants(
        months=months,
        joint=joint,
        annual_inc=np.round(income * income_factor),
        dti=_dti(rng, months, traits, joint) / income_factor,
        fico=_fico(rng, traits, np.where(drifted, change.fico_shift, 0.0)),
        loan_amnt=_loan_amount(rng, months, loan_z),
        term=_term(rng, months, loan_z),
        emp_length=_emp_length(rng, traits),
        home=_home(rng, months, traits),
        verification=pick(normal_rank(mixed(rng, (0.25, loan_z))), VERIFICATION_SHARES),
        purpose=_purpose(rng, np.where(drifted, change.purpose_shift, 0.0)),
    )


def _joint_share(months: Ints) -> Floats:
    knots = np.array([FIRST_JOINT, month_number("2016-12"), month_number("2017-03")], dtype=np.float64)
    return np.interp(months, knots, np.array([0.002, 0.012, JOINT_SHARE_FROM_2017])) * (months >= FIRST_JOINT)


def _income(rng: np.random.Generator, months: Ints, income_z: Floats, joint: Bools) -> Floats:
    """US dollars a year: median 66,000 in 2015, growing 3 % a year; a few joint applicants have none."""
    exact = 66_000 * 1.03 ** (years_since_2012(months) - 3.5) * np.exp(0.51 * income_z)
    exact = np.clip(np.where(joint, 0.8 * exact, exact), 8_000, 1_500_000)
    stated = np.where(rng.random(len(months)) < 0.65, 1_000 * np.round(exact / 1_000), np.round(exact))
    return np.where(joint & (rng.random(len(months)) < 0.004), 0.0, stated)


def _loan_amount(rng: np.random.Generator, months: Ints, loan_z: Floats) -> Floats:
    """US dollars: 1,000 to 35,000 (40,000 from March 2016), mostly whole thousands, else steps of 25."""
    cap = np.where(months >= LOAN_CAP_RAISED, 40_000.0, 35_000.0)
    exact = np.clip(12_800 * np.exp(0.70 * loan_z), 1_000, cap)
    step = np.where(rng.random(len(months)) < 0.6, 1_000.0, 25.0)
    return np.maximum(step * np.round(exact / step), 1_000)


def _dti(rng: np.random.Generator, months: Ints, traits: Traits, joint: Bools) -> Floats:
    """Monthly debt payments over income in percent: median 18, rising half a point a year."""
    z = mixed(rng, (0.3, traits.leverage), (-0.2, traits.wealth), (0.15, traits.age))
    level = 16.4 + 0.5 * years_since_2012(months) + 6.0 * joint
    return level * np.maximum(1 + 0.25 * z, 0.02) ** 2


def _fico(rng: np.random.Generator, traits: Traits, shift: Floats) -> Floats:
    """Low end of the score's 5-point band: 660 (the lender's floor) plus a Weibull(1.1, 41) excess."""
    z = mixed(rng, (0.75, traits.quality), (-0.25, traits.leverage), (0.15, traits.wealth), (0.1, traits.age))
    excess = 41 * np.log1p(np.exp(LOGISTIC_TO_NORMAL * z)) ** (1 / 1.1)
    return np.clip(5 * np.floor((660 + excess + shift) / 5), 610, 845)


def _term(rng: np.random.Generator, months: Ints, loan_z: Floats) -> Floats:
    """36 or 60 months; larger loans are longer, and the share of 60 grows from 0.18 to 0.32."""
    trend = np.interp(years_since_2012(months), np.array([0.0, 2.5, 7.0]), np.array([-1.9, -1.25, -1.0]))
    return np.where(rng.random(len(months)) < sigmoid(trend + 0.8 * loan_z), 60.0, 36.0)


def _emp_length(rng: np.random.Generator, traits: Traits) -> Ints:
    years = pick(normal_rank(mixed(rng, (0.4, traits.age))), EMP_LENGTH_SHARES)
    return np.where(rng.random(len(years)) < 0.07, NO_EMPLOYMENT, years)


def _home(rng: np.random.Generator, months: Ints, traits: Traits) -> Ints:
    homes = pick(normal_rank(mixed(rng, (0.35, traits.wealth), (0.35, traits.age))), HOME_SHARES)
    rare = (months >= FIRST_JOINT) & (rng.random(len(homes)) < 0.001)
    return np.where(rare, ANY, homes)


def _purpose(rng: np.random.Generator, shift: Floats) -> Ints:
    ranks = rng.random(len(shift))
    moved = rng.random(len(shift)) < shift
    return np.where(moved, pick(ranks, PURPOSE_SHARES_DRIFTED), pick(ranks, PURPOSE_SHARES))
