"""Log-odds of default from what the application and the credit file show, and the lender's price for it."""

from dataclasses import dataclass

import numpy as np

from loan_platform.sample_data.lending_club.columns import Floats, Ints, Numbers
from loan_platform.sample_data.lending_club.draws import sigmoid
from loan_platform.sample_data.lending_club.months import years_since_2012
from loan_platform.sample_data.lending_club.people import (
    MORTGAGE,
    NO_EMPLOYMENT,
    OWN,
    PURPOSES,
    RENT,
    Applicants,
    Traits,
)

PURPOSE_EFFECTS = {
    "small_business": 0.60, "medical": 0.22, "moving": 0.28, "house": 0.20, "renewable_energy": 0.25,
    "other": 0.12, "vacation": 0.12, "car": -0.12, "wedding": -0.15, "credit_card": -0.12,
}  # fmt: skip
SPREAD = 0.96
"""Stretches the visible log-odds so that a good model without prices reaches an AUC of about 0.70."""
SOFT_WEIGHT = 0.45
"""Log-odds per unit of the trait that only the lender sees, through its grades."""
LEVEL = -1.83
"""Intercept: about 20 % of the resolved loans are charged off (public book, snapshot March 2019: 19.96 %)."""
VINTAGE_YEARS = np.array([0.0, 1.5, 2.5, 3.5, 4.5, 5.5, 7.0])
VINTAGE_EFFECTS = np.array([-0.22, -0.16, -0.06, 0.0, 0.05, -0.10, -0.20])
"""Log-odds by years since January 2012: 2016 was the worst of the public vintages."""

GRADES = tuple(f"{letter}{number}" for letter in "ABCDEFG" for number in range(1, 6))
GRADE_EDGES = np.interp(
    np.arange(0, 36) / 5,
    np.arange(8),
    np.array([-2.3, -0.85, -0.07, 0.74, 1.31, 1.85, 2.41, 3.2]),
)[1:-1]
"""Sub-grade borders on the standardised price score, from the grade shares of the real sample."""
GRADE_RATES = np.interp(
    np.arange(35),
    np.array([0, 4, 9, 14, 19, 24, 29, 34]),
    np.array([5.4, 8.2, 11.6, 15.2, 19.2, 23.6, 27.5, 30.6]),
)
"""Interest in percent a year by sub-grade A1..G5."""
PRICE_NOISE = 0.55
PRICE_MEAN = 0.08
PRICE_SPREAD = 1.10
"""Mean and standard deviation of what the lender sees, measured on 200,000 rows of seed 7."""


@dataclass(frozen=True)
class Price:
    """The offer: sub-grade 0..34 (A1..G5), int_rate in percent a year, monthly installment in dollars."""

    sub_grade: Ints
    int_rate: Floats
    installment: Floats


def visible_log_odds(people: Applicants, file: Numbers) -> Floats:
    """Centred log-odds (rows,) from columns of the raw file, prices excluded."""
    return SPREAD * (_form_effects(people) + _file_effects(people, file) + _interactions(people, file))


def default_probability(months: Ints, visible: Floats, traits: Traits) -> Floats:
    """Probability (rows,) that the loan is charged off within its term."""
    vintage = np.interp(years_since_2012(months), VINTAGE_YEARS, VINTAGE_EFFECTS)
    return sigmoid(LEVEL + vintage + visible + SOFT_WEIGHT * traits.soft)


def draw_price(rng: np.random.Generator, people: Applicants, visible: Floats, traits: Traits) -> Price:
    """Grade the applicants by what the lender sees (soft information included), with an error of its own."""
    seen = visible + SOFT_WEIGHT * traits.soft + PRICE_NOISE * rng.standard_normal(len(visible))
    sub_grade = np.searchsorted(GRADE_EDGES, (seen - PRICE_MEAN) / PRICE_SPREAD).astype(np.int64)
    quarter = people.months // 3
    season = 0.35 * np.sin(1.7 * quarter + 0.4 * sub_grade)
    rate = np.round(GRADE_RATES[sub_grade] + season, 2)
    return Price(sub_grade, rate, annuity(people.loan_amnt, rate, people.term))


def annuity(amount: Floats, rate: Floats, term: Floats) -> Floats:
    """Level monthly payment in dollars for a yearly rate in percent, rounded to cents."""
    monthly = rate / 1200
    return np.round(amount * monthly / (1 - (1 + monthly) ** -term), 2)


def _form_effects(people: Applicants) -> Floats:
    purpose = np.array([PURPOSE_EFFECTS.get(name, 0.0) for name in PURPOSES])
    known = np.array([0, 2, 9, NO_EMPLOYMENT - 1, NO_EMPLOYMENT])
    effects = np.array([0.10, 0.04, 0.0, -0.06, 0.30])
    employment = np.interp(np.arange(NO_EMPLOYMENT + 1), known, effects)
    return (
        0.72 * (people.term == 60)
        + 0.19 * (people.home == RENT)
        + 0.10 * (people.home == OWN)
        + 0.09 * (people.verification > 0)
        + 0.015 * (people.dti - 18)
        - 0.20 * np.log(np.maximum(people.annual_inc, 10_000) / 66_000)
        + purpose[people.purpose]
        + employment[people.emp_length]
        - 0.25 * people.joint
        - 0.30
    )


def _file_effects(people: Applicants, file: Numbers) -> Floats:
    return (
        -0.42 * (np.sqrt(people.fico - 600) - 10) / 1.65
        + 0.11 * (file["inq_last_6mths"] - 0.6)
        + 0.055 * (np.minimum(file["acc_open_past_24mths"], 15) - 4.5)
        + 0.05 * np.minimum(file["num_tl_op_past_12m"] - 2, 6)
        + 0.10 * (np.minimum(file["delinq_2yrs"], 4) - 0.3)
        + 0.10 * (np.minimum(file["pub_rec"], 3) - 0.2)
        - 0.05 * (np.minimum(file["mort_acc"], 6) - 1.5)
        - 0.10 * np.log(np.maximum(file["mo_sin_old_rev_tl_op"], 12) / 165)
        - 0.004 * (np.minimum(file["mo_sin_rcnt_tl"], 40) - 8)
        - 0.05 * np.log(np.maximum(file["tot_cur_bal"], 1_000) / 75_000)
        - 0.06 * np.log((file["bc_open_to_buy"] + 500) / 5_500)
        - 0.004 * (file["pct_tl_nvr_dlq"] - 94)
        + 0.002 * (file["percent_bc_gt_75"] - 43)
    )


def _interactions(people: Applicants, file: Numbers) -> Floats:
    """Ratios and joint effects that a model on raw columns alone must find for itself."""
    income = np.maximum(people.annual_inc, 10_000)
    burden = people.loan_amnt / people.term * 12 / income
    revolving = np.minimum(file["revol_bal"] / income, 1.5)
    low_score, full_cards = sigmoid((685 - people.fico) / 8), sigmoid((file["bc_util"] - 75) / 6)
    short = file["mo_sin_old_rev_tl_op"] < 84
    busy = file["acc_open_past_24mths"] > 6
    return (
        3.2 * (np.minimum(burden, 0.35) - 0.075)
        + 0.35 * (revolving - 0.22)
        + 0.35 * (low_score * full_cards - 0.19)
        + 0.30 * ((people.dti > 25) & (people.home != MORTGAGE))
        + 0.25 * (busy & short)
        + 0.20 * ((people.purpose == PURPOSES.index("credit_card")) & (file["bc_util"] > 85))
        - 0.08
    )
