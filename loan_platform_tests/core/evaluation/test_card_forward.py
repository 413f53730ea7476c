"""The model card tells how calibration and ranking held on later months."""

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.card_forward import AGEING, CALIBRATION_AHEAD, forward_sections
from loan_platform.core.evaluation.forward_report import AgeReport, CalibrationReport, OriginReport

ORIGIN = OriginReport(
    first="2010-07",
    last="2010-12",
    rows=2_000,
    defaults=300,
    mean_probability=0.12,
    rate_ratio=Interval(1.25, 1.12, 1.39),
    ece=0.031,
)

STOOD_IN = (("platt", "2010-07"), ("platt", "2010-09"), ("beta", "2010-11"))


def test_card_shows_each_origin_and_each_age():
    found = CalibrationReport(
        method="beta", months=6, loans=7_348, errors={"beta, last 6 months": 0.0123}, origins=(ORIGIN,)
    )
    calibration, ageing = forward_sections(found, [AgeReport(first=1, last=3, rows=4_000, folds=3, auc=0.7051)])
    assert "Method: beta, fitted on the last 6 months with margins" in calibration
    assert "| beta, last 6 months | 0.0123 |" in calibration
    assert "| 2010-07 to 2010-12 | 2,000 | 0.1200 | 0.1500 | 1.25 (1.12 to 1.39) | 0.0310 |" in calibration
    assert "| 1 to 3 | 4,000 | 3 | 0.7051 |" in ageing


def test_card_names_the_origins_at_which_platt_stood_in():
    rows = tuple(ORIGIN.model_copy(update={"method": method, "first": m}) for method, m in STOOD_IN)
    (calibration,) = forward_sections(CalibrationReport(method="beta", months=None, loans=9, origins=rows), [])
    assert "Platt stood in for beta where too few had defaulted, at 2010-07, 2010-09." in calibration
    (earlier,) = forward_sections(CalibrationReport(method="beta", months=None, loans=9, origins=(ORIGIN,)), [])
    assert "stood in" not in earlier


def test_a_plot_stands_above_its_table():
    found = CalibrationReport(method="beta", months=6, loans=7_348, origins=(ORIGIN,))
    ages = [AgeReport(first=1, last=3, rows=4_000, folds=3, auc=0.7051)]
    calibration, ageing = forward_sections(found, ages, {CALIBRATION_AHEAD: "![by origin](1)", AGEING: "![by age](2)"})
    assert "interval.\n\n![by origin](1)\n\n| months | loans |" in calibration
    assert "training loans.\n\n![by age](2)\n\n| months ahead |" in ageing


def test_a_book_without_dates_shows_the_comparison_alone():
    (calibration,) = forward_sections(CalibrationReport(method="platt", months=None, loans=900), [])
    assert calibration.startswith("## Calibration ahead\n\nMethod: platt, fitted on all loans")
    assert "| months |" not in calibration
    assert forward_sections(None, []) == []
