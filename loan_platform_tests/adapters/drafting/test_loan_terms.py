"""The draft of a file whose long loans are known later proposes `split.mature_by`, in the YAML and on the screen."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from loan_platform.core.drafting.writing.policies_text import policies_text
from loan_platform.core.drafting.writing.screen_text import screen_text
from loan_platform_tests.support.own_books import drafted

WHY = "onger loans are known later. By term, too many are open: 12 from 2019-02 on, 36 from 2017-02 on"


def write_loans(path: Path) -> Path:
    """60 months of 100 loans, one in four of them over 36 months, the others over 12, as their end sees them."""
    draw = np.random.default_rng(2)
    month = np.repeat(np.arange(60), 100)
    term = np.where(draw.random(len(month)) < 0.25, 36, 12)
    bad = draw.random(len(month)) < 0.2
    known = month + np.where(bad, draw.uniform(0, term), term) <= 60
    loans = {
        "loan_id": [f"L{i:06}" for i in range(len(month))],
        "issue_date": [date(2015 + int(m) // 12, int(m) % 12 + 1, 1) for m in month],
        "term": [f" {months} months" for months in term],
        "score": draw.integers(500, 800, len(month)) - 40 * bad,
        "loan_status": np.where(known, np.where(bad, "Charged Off", "Fully Paid"), "Current"),
    }
    pl.DataFrame(loans).write_csv(path)
    return path


def test_the_draft_proposes_the_term_and_says_why(tmp_path: Path) -> None:
    draft = drafted(write_loans(tmp_path / "loans.csv")).draft
    policies, screen = policies_text(draft), screen_text(draft, ["defs.yaml"])
    assert f"    # L{WHY}.\n    mature_by: term\n" in policies
    assert f"l{WHY}. So `split.mature_by: term` is proposed" in " ".join(screen.split())
