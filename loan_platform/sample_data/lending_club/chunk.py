"""One chunk of a file as a frame: the parts of the generator put together in the order of the 151 columns."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from loan_platform.sample_data.lending_club import bureau, outcomes, people, risk, texts, troubles
from loan_platform.sample_data.lending_club.columns import RAW_COLUMNS, Bools, Floats, Ints, Numbers
from loan_platform.sample_data.lending_club.draws import pick
from loan_platform.sample_data.lending_club.months import month_labels, month_number, years_since_2012

ID_STRIDE = 61
"""Ids rise with the row by 1..121, like those of the public book, and never repeat."""
PARTNER_FILE_FROM = month_number("2017-03")
DIRECT_PAY_FROM = month_number("2016-09")
LISTING_YEARS, WHOLE_SHARES = (0.5, 2.5, 5.0, 7.0), (0.05, 0.5, 0.8, 0.88)
"""Share of loans listed whole ("w", not fractional) by years since 2012, after the real sample."""

Columns = dict[str, pl.Series]


@dataclass(frozen=True)
class Request:
    """People to draw: issue month of each (rows,) and how they are to be seen.

    as_of: snapshot month of each row, None for an application without any outcome; running: rows shown as
    performing whatever becomes of them (None: no row). `key` and `number` name the random streams.
    """

    seed: int
    key: int
    first_id: int
    months: Ints
    as_of: Ints | None
    running: Bools | None = None
    drift: people.Drift | None = None
    number: int = 0
    first_row: int = 0

    def chunk(self, number: int, first: int, stop: int) -> "Request":
        """The rows first..stop (exclusive) as chunk `number`, which has random streams of its own."""
        return replace(
            self,
            months=self.months[first:stop],
            as_of=None if self.as_of is None else self.as_of[first:stop],
            running=None if self.running is None else self.running[first:stop],
            number=number,
            first_row=first,
        )


def draw_chunk(request: Request) -> pl.DataFrame:
    """Frame (rows, 151) of text, float and integer columns; same request, same values."""
    form, credit, pricing, other, life = (_stream(request, part) for part in range(5))
    rows = len(request.months)
    traits = people.draw_traits(form, rows)
    who = people.draw_applicants(form, request.months, traits, request.drift)
    file = bureau.draw_credit_file(credit, who, traits)
    visible = risk.visible_log_odds(who, file)
    price = risk.draw_price(pricing, who, visible, traits)
    ids = _ids(other, request)
    columns: Columns = {"id": pl.Series("id", ids), **texts.draw_texts(other, who, ids)}
    columns |= _form(other, who, price)
    columns |= _joint(other, who, file)
    columns |= _series(bureau.hide_unbought(credit, who.months, file))
    if request.as_of is not None:
        probability = risk.default_probability(who.months, visible, traits)
        loans = outcomes.Loans(who, price, outcomes.draw_lives(life, who, probability))
        columns |= _outcome(life, loans, request.as_of, request.running)
    return pl.DataFrame([columns.get(name, _empty(rows)).alias(name) for name in RAW_COLUMNS])


def _stream(request: Request, part: int) -> np.random.Generator:
    key = (request.key, request.number, part)
    return np.random.default_rng(np.random.SeedSequence(request.seed, spawn_key=key))


def _ids(rng: np.random.Generator, request: Request) -> Ints:
    rows = np.arange(request.first_row, request.first_row + len(request.months))
    return request.first_id + ID_STRIDE * rows + rng.integers(0, ID_STRIDE, len(rows))


def _empty(rows: int) -> pl.Series:
    return pl.repeat(None, rows, dtype=pl.String, eager=True)


def _series(numbers: Numbers) -> Columns:
    return {name: pl.Series(name, values, nan_to_null=True) for name, values in numbers.items()}


def _names(names: tuple[str | None, ...], numbers: Ints) -> pl.Series:
    return pl.Series(names).gather(numbers)


def _form(rng: np.random.Generator, who: people.Applicants, price: risk.Price) -> Columns:
    grade = _names(risk.GRADES, price.sub_grade)
    return {
        **_series({"loan_amnt": who.loan_amnt, "funded_amnt": who.loan_amnt, "annual_inc": who.annual_inc}),
        **_series({"int_rate": price.int_rate, "installment": price.installment}),
        **_series({"dti": np.round(np.where(who.annual_inc > 0, who.dti, np.nan), 2)}),
        **_series({"fico_range_low": who.fico, "fico_range_high": who.fico + 4}),
        "term": _names((" 36 months", " 60 months"), (who.term == 60).astype(np.int64)),
        "sub_grade": grade,
        "grade": grade.str.slice(0, 1),
        "emp_length": _names(people.EMP_LENGTHS, who.emp_length),
        "home_ownership": _names(people.HOMES, who.home),
        "verification_status": _names(people.VERIFICATIONS, who.verification),
        "purpose": _names(people.PURPOSES, who.purpose),
        "issue_d": month_labels(who.months),
        "application_type": _names(("Individual", "Joint App"), who.joint.astype(np.int64)),
        **_funding(rng, who),
    }


def _funding(rng: np.random.Generator, who: people.Applicants) -> Columns:
    rows, years = len(who.months), years_since_2012(who.months)
    whole = np.interp(years, np.array(LISTING_YEARS), np.array(WHOLE_SHARES))
    direct = (who.months >= DIRECT_PAY_FROM) & (rng.random(rows) < 0.03)
    missing = np.where(rng.random(rows) < 0.03, 25.0 * rng.integers(1, 3, rows), 0.0)
    return {
        **_series({"funded_amnt_inv": who.loan_amnt - missing, "policy_code": np.ones(rows)}),
        "initial_list_status": _names(("f", "w"), (rng.random(rows) < whole).astype(np.int64)),
        "disbursement_method": _names(("Cash", "DirectPay"), direct.astype(np.int64)),
    }


def _joint(rng: np.random.Generator, who: people.Applicants, file: Numbers) -> Columns:
    """Columns of the second applicant; its credit file is known from March 2017 on."""
    rows = len(who.months)
    both = who.annual_inc + np.round(48_000 * np.exp(0.5 * rng.standard_normal(rows)))
    shared_dti = np.round(who.dti * np.maximum(who.annual_inc, 5_000) / both * rng.uniform(1.0, 1.5, rows), 2)
    known = who.joint & (who.months >= PARTNER_FILE_FROM)
    partner = {name: np.where(known, values, np.nan) for name, values in _partner_file(rng, rows).items()}
    pooled = file["revol_bal"] + np.round(9_500 * np.exp(0.8 * rng.standard_normal(rows)))
    oldest = np.where(known, who.months - np.round(170 * np.exp(0.5 * rng.standard_normal(rows))), np.nan)
    words = pick(rng.random(rows), (0.55, 0.25, 0.20))
    return {
        **_series({"annual_inc_joint": _if(who.joint, both), "dti_joint": _if(who.joint, shared_dti)}),
        **_series({"revol_bal_joint": _if(known, pooled)}),
        **_series(partner),
        "sec_app_earliest_cr_line": month_labels(np.maximum(oldest, 1950 * 12)),
        "earliest_cr_line": month_labels(who.months - file["history"]),
        "verification_status_joint": _names((*people.VERIFICATIONS, None), np.where(who.joint, words, 3)),
    }


def _if(present: Bools, values: Floats) -> Floats:
    return np.where(present, values, np.nan)


def _partner_file(rng: np.random.Generator, rows: int) -> Numbers:
    fico = np.clip(5 * np.round((668 + 45 * rng.standard_normal(rows)) / 5), 540, 845)
    derog = np.where(rng.random(rows) < 0.36, rng.integers(0, 80, rows), np.nan)
    return {
        "sec_app_fico_range_low": fico,
        "sec_app_fico_range_high": fico + 4,
        "sec_app_inq_last_6mths": rng.poisson(0.7, rows).astype(np.float64),
        "sec_app_mort_acc": rng.poisson(1.5, rows).astype(np.float64),
        "sec_app_open_acc": 1.0 + rng.poisson(10.0, rows),
        "sec_app_revol_util": np.round(np.clip(56 + 25 * rng.standard_normal(rows), 0, 120), 1),
        "sec_app_open_act_il": rng.poisson(2.8, rows).astype(np.float64),
        "sec_app_num_rev_accts": 1.0 + rng.poisson(10.5, rows),
        "sec_app_chargeoff_within_12_mths": (rng.random(rows) < 0.03).astype(np.float64),
        "sec_app_collections_12_mths_ex_med": (rng.random(rows) < 0.06).astype(np.float64),
        "sec_app_mths_since_last_major_derog": derog,
    }


def _outcome(rng: np.random.Generator, loans: outcomes.Loans, as_of: Ints, running: Bools | None) -> Columns:
    always_current = np.zeros(len(as_of), dtype=np.bool_) if running is None else running
    shown = replace(loans, lives=outcomes.still_running(loans.lives, always_current))
    seen = outcomes.see(rng, shown, as_of, always_current)
    return {
        "loan_status": _names(outcomes.STATUSES, seen.status),
        "last_pymnt_d": month_labels(seen.last_pymnt),
        "next_pymnt_d": month_labels(seen.next_pymnt),
        "last_credit_pull_d": month_labels(seen.last_pull),
        **_series(seen.numbers),
        **troubles.hardship_columns(rng, shown, seen),
        **troubles.settlement_columns(rng, shown, seen),
    }
