"""Texts that a sender planted in values and names run on no page that the platform writes."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from loan_platform.adapters.reports.evidently_report import drift_report
from loan_platform.adapters.reports.quality_page import quality_html
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.monitoring.psi import drift_table
from loan_platform.core.monitoring.reference import Reference
from loan_platform.core.staging.rules import QualityResult, Rule, RuleOutcome
from loan_platform_tests.support.service.browser import CHROMIUM, Page, browser

pytestmark = pytest.mark.slow

PLANTED = (
    "</script><script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "<svg onload=window.ran=1>",
    '"><iframe srcdoc="<script>parent.ran = 1</script>">',
    "'; window.ran = 1; //",
    "<a href='javascript:window.ran=1'>open</a>",
    "\u202eevil\x1b[31m",
)


def drift_page() -> str:
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({"purpose": draw.choice(PLANTED, 2_000), "probability": draw.beta(2, 9, 2_000)})
    reference, current = frame.head(1_000), frame.tail(1_000)
    frozen = Reference.build(reference.drop("probability"), reference["probability"].to_numpy())
    table = drift_table(frozen, current.drop("probability"), current["probability"].to_numpy(), DriftPolicy())
    return drift_report(reference, current, table, title=" ".join(PLANTED), policy=DriftPolicy()).html


def quality_page() -> str:
    rules = [Rule(name=text, kind="has_rows", description=text, severity="critical", minimum=1) for text in PLANTED]
    outcomes = tuple(RuleOutcome(rule, "failed", 2, 1, note=rule.name) for rule in rules)
    return quality_html(QualityResult(rows=2, outcomes=outcomes), title=" ".join(PLANTED))


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


PAGES = {
    "drift": (drift_page, "document.querySelectorAll('tbody tr').length > 0", "document.querySelector('svg.main-svg')"),
    "quality": (quality_page, "document.querySelectorAll('tbody tr').length > 0", "true"),
}


@pytest.mark.attack("pages", "script in values, names and titles", before="10 live elements from one CSV")
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("name", PAGES)
def test_nothing_planted_runs_on_a_page(name: str, tab: Page, tmp_path: Path) -> None:
    make, drawn, details = PAGES[name]
    (tmp_path / "page.html").write_text(make())
    tab.open((tmp_path / "page.html").as_uri())
    tab.wait(drawn)
    tab.run("document.querySelectorAll('button, tr').forEach(element => element.click())")  # draws the details
    tab.wait(details)
    assert tab.run("window.ran ?? 0") == 0
    assert tab.run("document.querySelectorAll('iframe, img[onerror], [onload], a[href^=javascript]').length") == 0
    assert tab.complaints == []
    text = tab.text("body")
    assert "window.ran = 1" in text  # it is shown as text
    assert "\u202e" not in text
    assert "\x1b" not in text
