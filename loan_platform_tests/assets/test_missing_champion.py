"""What a step says that needs a champion, where there is none."""

from pathlib import Path

import pytest

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.cli import demo
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.evaluation.promotion_report import RuleReport
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import car_loans
from loan_platform_tests.support.evaluations import evaluation


def test_a_missing_champion_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path))
    settings, book = PlatformSettings.from_environment(), car_loans()
    ledger, resource = Ledger(settings.ledger_url), LedgerResource(home=str(settings.home), url=settings.ledger_url)
    ledger.create()

    def told() -> str:
        with pytest.raises(NotMaterializedError) as error:
            resource.champion(book)
        return str(error.value)

    assert told() == "car_loans has no champion: materialize promoted_model first"
    chance = RuleReport(rule="auc_above_chance", passed=False, value=0.4, limit=0.5, sentence="No better than chance.")
    calibrated = RuleReport(rule="ece_ceiling", passed=False, value=0.4, limit=0.1, sentence="Wrong.")
    refused = evaluation(0.1).model_copy(update={"rules": (chance, calibrated), "leak_alarms": ("A leak.",)})
    ReportFiles(settings.reports).write("car_loans", "evaluation.json", refused)
    assert told() == "car_loans has no champion: the newest model was refused: A leak. No better than chance."
    summary = "Rejected, 1 of 9 rules failed: Calibration error (ECE) 0.2360 is above the ceiling 0.0930."
    ledger.reject("car_loans", 1, "a" * 64, actor="policy", run_id="run", verdict={"summary": summary})
    assert told() == f"car_loans has no champion: version 1: {summary}"
    assert demo._refused(settings, book) == told()
    ledger.promote("car_loans", 2, "b" * 64, expected_epoch=0, actor="policy", run_id="run", verdict={})
    assert resource.champion(book).version == 2
    assert demo._refused(settings, book) is None
    champion = resource.champion(book)
    assert ledger.withdraw(champion, actor="contract", run_id="run", reason="it reads debt.")
    assert "version 2: Withdrawn: it reads debt." in told()
    assert resource.last_champion(book) == 2
