"""What becomes of a loan (a competing draw of charge-off and payoff), and how a snapshot shows it."""

from dataclasses import dataclass, replace

import numpy as np

from loan_platform.sample_data.lending_club.columns import Bools, Floats, Ints, Numbers
from loan_platform.sample_data.lending_club.people import Applicants
from loan_platform.sample_data.lending_club.risk import Price

STATUSES = (
    "Fully Paid", "Charged Off", "Current", "In Grace Period", "Late (16-30 days)", "Late (31-120 days)",
    "Default",
)  # fmt: skip
FULLY_PAID, CHARGED_OFF, CURRENT, GRACE, LATE_16, LATE_31, DEFAULT = range(7)
CHARGE_OFF_LAG = 5
"""Months from the last payment to the charge-off: the lender charges off at 150 days past due."""
PREPAY_SHAPE = 1.1
PREPAY_SCALE = {36: 44.0, 60: 39.0}
"""Weibull time to early payoff in months: 45 % of the good 36-month loans run full term, 20 % of the 60s."""
BRIEFLY_LATE = (0.986, 0.006, 0.003, 0.005)
"""Shares of Current, grace, 16-30, 31-120 days among running loans that will not default soon."""
HARD_LOW = 499.0
"""`last_fico_range_high` of people whose score fell below 500; the low end is then written as 0."""


@dataclass(frozen=True)
class Lives:
    """Final fate of each loan: charged off or paid, at month on book `end` (1..term)."""

    charged_off: Bools
    end: Ints


@dataclass(frozen=True)
class Loans:
    """Borrowers, the price they took and what becomes of them."""

    people: Applicants
    price: Price
    lives: Lives


@dataclass(frozen=True)
class Seen:
    """Loans as one snapshot sees them: status numbers, month numbers (NaN: none), other columns by name."""

    status: Ints
    as_of: Ints
    last_pymnt: Floats
    next_pymnt: Floats
    last_pull: Floats
    numbers: Numbers


def draw_lives(rng: np.random.Generator, people: Applicants, probability: Floats) -> Lives:
    """Draw each loan's end. Charge-offs fall at a Beta share of the term after month 5, so within it."""
    rows = len(probability)
    long = people.term == 60
    charged_off = rng.random(rows) < probability
    share = rng.beta(np.where(long, 1.7, 2.0), np.where(long, 3.0, 2.4))
    off = CHARGE_OFF_LAG + np.floor((people.term - CHARGE_OFF_LAG) * share)
    scale = np.where(long, PREPAY_SCALE[60], PREPAY_SCALE[36])
    paid = np.minimum(1 + np.floor(scale * rng.weibull(PREPAY_SHAPE, rows)), people.term)
    return Lives(charged_off, np.where(charged_off, off, paid).astype(np.int64))


def still_running(lives: Lives, which: Bools) -> Lives:
    """Lives in which the loans of `which` never end: a snapshot shows them as performing."""
    return replace(lives, charged_off=lives.charged_off & ~which, end=np.where(which, np.int64(10**6), lives.end))


def see(rng: np.random.Generator, loans: Loans, as_of: Ints, always_current: Bools) -> Seen:
    """Show the loans as at month `as_of` (rows,), which must not lie before the issue month."""
    months, lives = loans.people.months, loans.lives
    age = as_of - months
    last = lives.end - CHARGE_OFF_LAG * lives.charged_off
    full_term = loans.people.term.astype(np.int64) - (lives.end > loans.people.term)
    payments = np.minimum(np.minimum(last, age), full_term)
    status = np.where(always_current, CURRENT, _status(rng, lives, age, last))
    resolved = status <= CHARGED_OFF
    numbers = _payments(rng, loans, status, payments) | _last_fico(rng, loans.people, status)
    pull = np.where(rng.random(len(age)) < 0.5, as_of, np.minimum(months + lives.end + 1, as_of))
    return Seen(
        status=status,
        as_of=as_of,
        last_pymnt=np.where(payments > 0, months + payments, np.nan),
        next_pymnt=np.where(resolved, np.nan, as_of + 1),
        last_pull=np.where(resolved, pull, as_of).astype(np.float64),
        numbers=numbers,
    )


def _status(rng: np.random.Generator, lives: Lives, age: Ints, last: Ints) -> Ints:
    draw = rng.random(len(age))
    behind = age - last
    late = np.where(behind >= 2, LATE_31, np.where(draw < 0.5, GRACE, LATE_16))
    late = np.where((behind >= 4) & (draw < 0.03), DEFAULT, late)
    brief = CURRENT + np.searchsorted(np.cumsum(BRIEFLY_LATE)[:-1], draw, side="right")
    running = np.where(lives.charged_off & (behind > 0), late, np.where(age > 0, brief, CURRENT))
    return np.where(lives.end <= age, np.where(lives.charged_off, CHARGED_OFF, FULLY_PAID), running)


def _payments(rng: np.random.Generator, loans: Loans, status: Ints, payments: Ints) -> Numbers:
    """Dollars paid so far. A paid loan ends with one payment of all that was open before it."""
    amount, installment = loans.people.loan_amnt, loans.price.installment
    paid, off = status == FULLY_PAID, status == CHARGED_OFF
    regular = payments - paid
    owed = _balance(loans, regular)
    last_interest = np.where(paid, owed * loans.price.int_rate / 1200, 0.0)
    principal = np.where(paid, amount, np.round(amount - owed, 2))
    interest: Floats = np.clip(installment * regular - (amount - owed) + last_interest, 0, None)
    left = np.where(paid | off, 0.0, np.round(amount - principal, 2))
    last = np.where(paid, np.round(owed + last_interest, 2), installment)
    return {
        "out_prncp": left,
        "out_prncp_inv": left,
        "total_rec_prncp": principal,
        "total_rec_int": np.round(interest, 2),
        "last_pymnt_amnt": np.where(payments > 0, last, 0.0),
        **_totals(rng, loans, status, principal, interest),
    }


def _totals(rng: np.random.Generator, loans: Loans, status: Ints, principal: Floats, interest: Floats) -> Numbers:
    """Fees, recoveries and sums; most paid loans carry a sum with many decimals, as in the public files."""
    rows, paid = len(status), status == FULLY_PAID
    recovered = _recoveries(rng, status == CHARGED_OFF, loans.people.loan_amnt - principal)
    late = ~paid & (rng.random(rows) < 0.05)
    fee = np.where(late, np.maximum(np.round(0.05 * loans.price.installment, 2), 15.0), 0.0)
    total = np.round(principal + interest + fee + recovered, 2)
    tail = np.where(paid & (rng.random(rows) < 0.7), rng.integers(1, 10**7, rows) / 1e10, 0.0)
    return {
        "total_pymnt": np.round(total + tail, 10),
        "total_pymnt_inv": total,
        "total_rec_late_fee": fee,
        "recoveries": recovered,
        "collection_recovery_fee": np.round(0.18 * recovered, 4),
    }


def _balance(loans: Loans, payments: Ints) -> Floats:
    """Principal still owed in dollars after a number of regular payments."""
    amount, monthly = loans.people.loan_amnt, loans.price.int_rate / 1200
    growth = (1 + monthly) ** payments
    return np.clip(amount * growth - loans.price.installment * (growth - 1) / monthly, 0, amount)


def _recoveries(rng: np.random.Generator, off: Bools, lost: Floats) -> Floats:
    """Dollars collected after charge-off: none for 35 % of them, else a Beta(1.2, 7) share of the loss."""
    share = rng.beta(1.2, 7.0, len(lost)) * (rng.random(len(lost)) < 0.65)
    return np.where(off, np.round(share * lost, 2), 0.0)


def _last_fico(rng: np.random.Generator, people: Applicants, status: Ints) -> Numbers:
    """Score after the fact: it collapses with default, so it is the strongest of the planted leaks."""
    drop = np.array([-2.0, 122.0, 2.0, 45.0, 70.0, 95.0, 120.0])[status]
    spread = np.array([38.0, 48.0, 36.0, 40.0, 40.0, 45.0, 45.0])[status]
    exact = people.fico - drop + spread * rng.standard_normal(len(status))
    high = np.clip(5 * np.floor(exact / 5), 495, 845) + 4
    low = np.where(high <= HARD_LOW, 0.0, high - 4)
    return {"last_fico_range_high": high, "last_fico_range_low": low}
