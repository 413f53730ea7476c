"""Late payments, collections and public records of the credit file; levels after the real sample."""

import numpy as np

from loan_platform.sample_data.lending_club.columns import Floats, Numbers
from loan_platform.sample_data.lending_club.draws import count, mixed, normal_rank, part_of, without
from loan_platform.sample_data.lending_club.people import Traits


def draw_records(rng: np.random.Generator, traits: Traits, total_acc: Floats) -> Numbers:
    """Columns on past trouble by name, each (rows,); `total_acc` is the number of accounts ever opened."""
    return {
        **_late_payments(rng, traits, total_acc),
        **_public_records(rng, traits),
        **_rare_events(rng, len(total_acc)),
    }


def _late_payments(rng: np.random.Generator, traits: Traits, total_acc: Floats) -> Numbers:
    rows = len(total_acc)
    recent = np.minimum(count(rng, np.exp(-1.75 - 0.8 * traits.quality)), 20)
    ever = (recent > 0) | (normal_rank(mixed(rng, (-0.35, traits.quality))) > 0.63)
    since = np.where(recent > 0, rng.integers(0, 24, rows), rng.integers(24, 84, rows)).astype(np.float64)
    card_late = ever & (rng.random(rows) < 0.66)
    bank_late = card_late & (rng.random(rows) < 0.69)
    major = ever & (rng.random(rows) < 0.52)
    late_accounts = np.minimum(np.where(ever, 1 + count(rng, np.full(rows, 1.7)), 0.0), total_acc)
    later = np.floor(rng.exponential(6.0, rows))
    return {
        "delinq_2yrs": recent,
        "mths_since_last_delinq": without(since, ~ever),
        "mths_since_recent_revol_delinq": without(since + later, ~card_late),
        "mths_since_recent_bc_dlq": without(since + later, ~bank_late),
        "mths_since_last_major_derog": without(since + np.floor(later / 2), ~major),
        "num_accts_ever_120_pd": np.where(major, 1 + count(rng, np.full(rows, 0.8)), 0.0),
        "num_tl_90g_dpd_24m": np.where(major, part_of(rng, recent, 0.35), 0.0),
        "pct_tl_nvr_dlq": np.round(100 * (1 - late_accounts / total_acc), 1),
    }


def _public_records(rng: np.random.Generator, traits: Traits) -> Numbers:
    rows = len(traits.quality)
    records = np.minimum(count(rng, 0.19 * np.exp(-0.4 * traits.quality)), 10)
    bankruptcies = part_of(rng, records, 0.62)
    return {
        "pub_rec": records,
        "pub_rec_bankruptcies": bankruptcies,
        "tax_liens": part_of(rng, records - bankruptcies, 0.6),
        "mths_since_last_record": without(rng.integers(8, 119, rows).astype(np.float64), records == 0),
    }


def _rare_events(rng: np.random.Generator, rows: int) -> Numbers:
    late_now = (rng.random(rows) < 0.004).astype(np.float64)
    owed = np.where(rng.random(rows) < 0.15, np.round(350 * np.exp(1.3 * rng.standard_normal(rows))), 0.0)
    return {
        "acc_now_delinq": late_now,
        "delinq_amnt": late_now * np.round(900 * np.exp(1.4 * rng.standard_normal(rows))),
        "num_tl_30dpd": np.where(rng.random(rows) < 0.7, late_now, 0.0),
        "num_tl_120dpd_2m": np.where(rng.random(rows) < 0.15, late_now, 0.0),
        "collections_12_mths_ex_med": (rng.random(rows) < 0.016).astype(np.float64),
        "chargeoff_within_12_mths": (rng.random(rows) < 0.008).astype(np.float64),
        "tot_coll_amt": owed,
    }
