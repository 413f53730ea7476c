"""What a run of the whole graph did, as plain values."""

import json
from pathlib import Path
from typing import Any

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.cli.jobs import Story
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.settings.platform import PlatformSettings


def summarise(
    settings: PlatformSettings, book: Portfolio, story: Story, total_seconds: float, peak_megabytes: int
) -> dict[str, Any]:
    """Collect the figures of the newest run from the reports that its assets wrote; what the run did not do is null."""
    reports = settings.reports / book.name
    evaluation = _read(reports / "evaluation.json")
    champion = Ledger(settings.ledger_url).champion(book.name)
    return {
        "book": book.name,
        "sources": {table.name: _staged(reports / table.name) for table in book.contract.tables},
        "rows": _staged(reports),
        "split": evaluation["split"],
        "candidates": evaluation["candidates"],
        "not_trained": evaluation.get("not_trained", {}),
        "chosen": evaluation["chosen"],
        "choice": evaluation["choice"],
        "test": evaluation["test"],
        "champion": {
            "version": champion.version if champion else None,
            "sha256": champion.model_sha256 if champion else None,
            "epoch": champion.epoch if champion else 0,
            "why": _read(reports / "promotion.json")["summary"],
        },
        "decisions": evaluation["decisions"],
        "predictions": story.rows("predictions") if "applications" in book.sources else None,
        "drift": [_drift(path) for path in sorted((reports / "drift").glob("*.json")) if _is_table(path)],
        "performance": _read(reports / "performance.json") if "outcomes" in book.sources else None,
        "failed_checks": story.failed_checks,
        "seconds": {name: round(seconds, 2) for name, seconds in story.seconds.items()},
        "total_seconds": round(total_seconds, 1),
        "peak_megabytes": peak_megabytes,
        "look_further": _look_further(settings, reports),
    }


def as_json(summary: dict[str, Any]) -> str:
    """The summary as JSON text."""
    return json.dumps(summary, indent=1) + "\n"


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def _staged(folder: Path) -> dict[str, Any]:
    staging = _read(folder / "staging.json")
    dropped = sum(value["rows"] for value in staging["nulled"])
    return {name: staging[name] for name in ("rows_in", "accepted", "quarantined", "by_reason")} | {
        "values_dropped": dropped
    }


def _is_table(path: Path) -> bool:
    return not path.stem.endswith("-evidently")


def _drift(path: Path) -> dict[str, Any]:
    table = _read(path)
    return {name: table[name] for name in ("batch", "rows", "verdict", "reason")}


def _look_further(settings: PlatformSettings, reports: Path) -> dict[str, str]:
    return {
        "Dagster UI": "make dev        http://127.0.0.1:3000",
        "MLflow UI": "make mlflow     http://127.0.0.1:5000",
        "data quality": str(reports / "quality.html"),
        "model card": str(reports / "model_card.md"),
        "drift reports": str(reports / "drift"),
        "data lake": str(settings.lake),
        "this summary": str(settings.summary),
    }
