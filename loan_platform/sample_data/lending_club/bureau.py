"""The credit file of each applicant. Levels, spreads and missing shares after the real sample."""

import numpy as np

from loan_platform.sample_data.lending_club.columns import Floats, Ints, Numbers
from loan_platform.sample_data.lending_club.draws import count, mixed, part_of, sigmoid, without
from loan_platform.sample_data.lending_club.months import month_number, years_since_2012
from loan_platform.sample_data.lending_club.people import MORTGAGE, Applicants, Traits
from loan_platform.sample_data.lending_club.records import draw_records

CORE_FILE_FROM = month_number("2012-04")
CORE_FILE = (
    "acc_open_past_24mths", "mort_acc", "total_bal_ex_mort", "total_bc_limit", "bc_open_to_buy", "bc_util",
)  # fmt: skip
FULL_FILE_FROM = month_number("2012-08")
FULL_FILE = (
    "tot_coll_amt", "tot_cur_bal", "total_rev_hi_lim", "avg_cur_bal", "mo_sin_old_il_acct",
    "mo_sin_old_rev_tl_op", "mo_sin_rcnt_rev_tl_op", "mo_sin_rcnt_tl", "num_accts_ever_120_pd",
    "num_actv_bc_tl", "num_actv_rev_tl", "num_bc_tl", "num_il_tl", "num_op_rev_tl", "num_rev_accts",
    "num_rev_tl_bal_gt_0", "num_tl_120dpd_2m", "num_tl_30dpd", "num_tl_90g_dpd_24m", "num_tl_op_past_12m",
    "pct_tl_nvr_dlq", "tot_hi_cred_lim", "total_il_high_credit_limit",
)  # fmt: skip
INSTALMENT_FILE_FROM = month_number("2015-12")
INSTALMENT_FILE = (
    "open_acc_6m", "open_act_il", "open_il_12m", "open_il_24m", "mths_since_rcnt_il", "total_bal_il",
    "il_util", "open_rv_12m", "open_rv_24m", "max_bal_bc", "all_util", "inq_fi", "total_cu_tl",
    "inq_last_12m",
)  # fmt: skip
"""The lender bought these 14 fields from December 2015 on; before, they are empty."""


def draw_credit_file(rng: np.random.Generator, people: Applicants, traits: Traits) -> Numbers:
    """All bureau columns by name, before any of them is hidden (see `hide_unbought`)."""
    file: Numbers = {}
    file.update(_ages_and_counts(rng, traits))
    file.update(_recent_activity(rng, people.months, traits, file))
    file.update(draw_records(rng, traits, file["total_acc"]))
    file.update(_revolving(rng, traits))
    file.update(_account_kinds(rng, people, file))
    file.update(_cards(rng, file))
    file.update(_balances(rng, people, file))
    return file


def hide_unbought(rng: np.random.Generator, months: Ints, file: Numbers) -> Numbers:
    """Empty the fields that the lender did not have yet, and a small share at random."""
    hidden = dict(file)
    for since, names in (
        (CORE_FILE_FROM, CORE_FILE),
        (FULL_FILE_FROM, FULL_FILE),
        (INSTALMENT_FILE_FROM, INSTALMENT_FILE),
    ):
        for name in names:
            hidden[name] = without(file[name], months < since)
    no_card = rng.random(len(months)) < 0.011
    for name in ("bc_util", "bc_open_to_buy", "percent_bc_gt_75", "mths_since_recent_bc"):
        hidden[name] = without(hidden[name], no_card)
    hidden["num_tl_120dpd_2m"] = without(hidden["num_tl_120dpd_2m"], rng.random(len(months)) < 0.04)
    hidden["revol_util"] = without(hidden["revol_util"], rng.random(len(months)) < 0.0006)
    return hidden


def _ages_and_counts(rng: np.random.Generator, traits: Traits) -> Numbers:
    rows = len(traits.age)
    history = np.clip(np.round(172 * np.exp(0.48 * traits.age)), 38, 720)
    card_first = rng.random(rows) < 0.72
    old_card = np.floor(history * np.where(card_first, 1.0, rng.uniform(0.4, 1.0, rows)))
    old_loan = np.floor(history * np.where(card_first, rng.uniform(0.25, 0.95, rows), 1.0))
    no_loan = rng.random(rows) < 0.028
    open_z = mixed(rng, (0.3, traits.wealth), (0.55, traits.seeking), (0.2, traits.age))
    closed_z = mixed(rng, (0.5, traits.age), (0.25, traits.seeking), (0.15, traits.wealth))
    open_acc = np.clip(np.round(10.6 * np.exp(0.45 * open_z)), 1, 90)
    return {
        "history": history,
        "mo_sin_old_rev_tl_op": old_card,
        "mo_sin_old_il_acct": without(old_loan, no_loan),
        "open_acc": open_acc,
        "num_sats": np.maximum(open_acc - (rng.random(rows) < 0.04), 0),
        "total_acc": open_acc + np.round(10 * np.exp(0.65 * closed_z)),
    }


def _recent_activity(rng: np.random.Generator, months: Ints, traits: Traits, file: Numbers) -> Numbers:
    rows = len(months)
    activity = mixed(rng, (0.8, traits.seeking))
    opened = np.minimum(count(rng, 4.1 * np.exp(0.5 * activity - 0.02)), file["total_acc"])
    cards_24 = part_of(rng, opened, 0.63)
    cards_12, loans_12 = part_of(rng, cards_24, 0.45), part_of(rng, opened - cards_24, 0.43)
    recent = np.minimum(np.floor(rng.exponential(30.0, rows) / (opened + 0.7)), file["history"])
    recent_card = recent + np.where(rng.random(rows) < 0.62, 0.0, np.floor(rng.exponential(14.0, rows)))
    recent_bank = recent_card + np.where(rng.random(rows) < 0.5, 0.0, np.floor(rng.exponential(20.0, rows)))
    recent_loan = recent + np.floor(rng.exponential(14.0, rows))
    return {
        "acc_open_past_24mths": opened,
        "open_rv_24m": cards_24,
        "open_rv_12m": cards_12,
        "open_il_24m": opened - cards_24,
        "open_il_12m": loans_12,
        "num_tl_op_past_12m": cards_12 + loans_12,
        "open_acc_6m": part_of(rng, cards_12 + loans_12, 0.45),
        "mo_sin_rcnt_tl": recent,
        "mo_sin_rcnt_rev_tl_op": recent_card,
        "mths_since_recent_bc": recent_bank,
        "mths_since_rcnt_il": without(recent_loan, rng.random(rows) < 0.025),
        **_inquiries(rng, months, traits),
    }


def _inquiries(rng: np.random.Generator, months: Ints, traits: Traits) -> Numbers:
    rows = len(months)
    rate = np.exp(0.55 * mixed(rng, (0.75, traits.seeking)) - 0.15)
    half_year = np.minimum(count(rng, (0.80 - 0.055 * years_since_2012(months)) * rate), 6)
    since = np.where(half_year > 0, rng.integers(0, 7, rows), 6 + np.floor(rng.exponential(8.5, rows)))
    return {
        "inq_last_6mths": half_year,
        "inq_last_12m": half_year + count(rng, 1.5 * rate),
        "inq_fi": count(rng, 0.95 * rate),
        "mths_since_recent_inq": without(since, since >= 24),
    }


def _revolving(rng: np.random.Generator, traits: Traits) -> Numbers:
    limit_z = mixed(rng, (0.45, traits.wealth), (0.4, traits.quality), (0.25, traits.age))
    limit = np.clip(100 * np.round(250 * np.exp(0.82 * limit_z)), 500, 2_000_000)
    util_z = mixed(rng, (0.75, traits.leverage), (-0.35, traits.quality), (-0.15, traits.seeking))
    util = np.round(_folded(np.abs(51 + 24.5 * util_z)), 1)
    return {
        "total_rev_hi_lim": limit,
        "revol_util": util,
        "revol_bal": np.round(limit * util / 100),
    }


def _folded(percent: Floats) -> Floats:
    """Few people overdraw: what exceeds 96 % counts a fifth."""
    return np.where(percent > 96, 96 + 0.2 * (percent - 96), percent)


def _account_kinds(rng: np.random.Generator, people: Applicants, file: Numbers) -> Numbers:
    mortgaged = people.home == MORTGAGE
    mortgages = mortgaged + count(rng, np.where(mortgaged, 1.3, 0.6))
    cards_open = np.maximum(part_of(rng, file["open_acc"], 0.70), 1)
    cards = cards_open + part_of(rng, file["total_acc"] - file["open_acc"], 0.45)
    bank_cards = np.maximum(part_of(rng, cards_open, 0.58), 1)
    active = np.maximum(part_of(rng, cards_open, 0.67), 1)
    return {
        "mort_acc": mortgages,
        "num_op_rev_tl": cards_open,
        "num_rev_accts": cards,
        "num_actv_rev_tl": active,
        "num_rev_tl_bal_gt_0": active,
        "num_bc_sats": bank_cards,
        "num_actv_bc_tl": part_of(rng, bank_cards, 0.75),
        "num_bc_tl": bank_cards + part_of(rng, cards - cards_open, 0.55),
        "num_il_tl": np.maximum(file["total_acc"] - cards - mortgages, 0),
        "open_act_il": part_of(rng, np.maximum(file["open_acc"] - cards_open, 0), 0.82),
        "total_cu_tl": np.floor(rng.exponential(1.9, len(cards))),
    }


def _cards(rng: np.random.Generator, file: Numbers) -> Numbers:
    rows = len(file["revol_util"])
    util = np.round(_folded(np.maximum(0.98 * file["revol_util"] + 8 + 11 * rng.standard_normal(rows), 0)), 1)
    limit = 100 * np.round(file["total_rev_hi_lim"] * rng.beta(4.0, 2.0, rows) / 100)
    full = part_of(rng, file["num_bc_sats"], sigmoid((util - 64) / 13))
    return {
        "bc_util": util,
        "total_bc_limit": limit,
        "bc_open_to_buy": np.maximum(np.round(limit * (1 - util / 100)), 0),
        "percent_bc_gt_75": np.round(100 * full / file["num_bc_sats"], 1),
        "max_bal_bc": np.round(file["revol_bal"] * rng.uniform(0.2, 0.65, rows)),
    }


def _balances(rng: np.random.Generator, people: Applicants, file: Numbers) -> Numbers:
    rows = len(people.months)
    instalment = np.where(file["open_act_il"] > 0, np.round(26_000 * np.exp(0.85 * rng.standard_normal(rows))), 0)
    il_util = np.clip(np.round(70 + 22 * rng.standard_normal(rows)), 3, 190)
    il_limit = np.round(instalment / (il_util / 100))
    house = np.round(np.maximum(people.annual_inc, 20_000) * 1.8 * np.exp(0.55 * rng.standard_normal(rows)))
    mortgage = np.where(people.home == MORTGAGE, house, 0.0)
    owed = file["revol_bal"] + instalment
    limits = file["total_rev_hi_lim"] + il_limit
    return {
        "total_bal_il": instalment,
        "il_util": without(il_util, instalment == 0),
        "total_il_high_credit_limit": il_limit,
        "total_bal_ex_mort": owed,
        "tot_cur_bal": owed + mortgage,
        "tot_hi_cred_lim": limits + np.round(mortgage * rng.uniform(1.0, 1.25, rows)),
        "avg_cur_bal": np.round((owed + mortgage) / file["open_acc"]),
        "all_util": np.round(100 * owed / limits),
    }
