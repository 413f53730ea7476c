"""A drift report for people: Evidently draws the distributions of a scored batch and of the development sample.

The heading has the verdict of `core.monitoring.psi` on all rows. Evidently computes its own index from samples and
other bins, so its figures differ a little. No value of a single loan is drawn: numbers are clipped at their 1 % and
99 % quantiles, and categories that the development sample did not list are `(other)`.
"""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from loan_platform.adapters.reports.content_policy import content_policy
from loan_platform.adapters.reports.helper_process import HelperProcess
from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.core.book.monitoring_policies import DriftPolicy
from loan_platform.core.features.undefined import LARGEST
from loan_platform.core.monitoring.psi import DriftTable
from loan_platform.core.monitoring.reference import OTHER
from loan_platform.core.plain_text import plain_text, without_tags

_RANDOM_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[47][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|metric_[0-9a-f]{32}")
_SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
_MAX_DISCRETE_VALUES = 20
_FIELDS = {"column_name": "column", "column_type": "type", "drift_score": "psi", "data_drift": "drift"}


@dataclass(frozen=True)
class DriftReport:
    """The report. The same input gives the same bytes.

    Attributes:
        html: a page that needs no network.
        json: its figures.
    """

    html: str
    json: str


def write_drift_report(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    table: DriftTable,
    html: Path,
    json: Path,
    *,
    title: str,
    policy: DriftPolicy,
) -> None:
    """Write page and JSON of `drift_report`, each atomically. Arguments and errors as there."""
    report = drift_report(reference, current, table, title=title, policy=policy)
    atomic_write(html, report.html)
    atomic_write(json, report.json)


drift_report_process = HelperProcess(write_drift_report, imports="evidently.presets")


def drift_report(
    reference: pl.DataFrame, current: pl.DataFrame, table: DriftTable, *, title: str, policy: DriftPolicy
) -> DriftReport:
    """Draw the distributions of both frames, for the score and the most drifted features.

    Args:
        reference: features and `probability` of development loans, one row per loan.
        current: the same columns of the batch.
        table: drift of the batch; its warning thresholds are used.
        title: title of the page.
        policy: size of the two samples and number of features; the samples are deterministic.

    Raises:
        ValueError: no variable has a value in both frames.
    """
    names = _most_drifted(table, policy.report_variables)
    before = _sample(reference.rename({"probability": "score"}).select(names), policy.sample_rows)
    now = _sample(current.rename({"probability": "score"}).select(names), policy.sample_rows).cast(before.schema)
    drawn = [n for n in names if before[n].count() and now[n].count()]
    if not drawn:
        raise ValueError("No variable has values in both the reference and the batch, so no report can be drawn.")
    with _quiet():
        snapshot = _run(*_without_extremes(before.select(drawn), now.select(drawn), table), table)
        page = snapshot.get_html_str(as_iframe=False)
    figures: dict[str, Any] = {
        "title": title,
        "rows": {"reference": len(before), "current": len(now)},
        "not_drawn": [name for name in names if name not in drawn],
        "metrics": _metrics(snapshot),
        "columns": _columns(snapshot),
    }
    return DriftReport(_page(page, title, table), json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


def _most_drifted(table: DriftTable, count: int) -> list[str]:
    """The score and the most drifted features, in the order of the table."""
    ranked = sorted((v for v in table.variables if v.role == "feature"), key=lambda v: (-v.psi, v.name))
    kept = {v.name for v in ranked[:count]}
    return [v.name for v in table.variables if v.role == "score" or v.name in kept]


def _sample(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    chosen = frame.sample(rows, seed=0) if len(frame) > rows else frame
    numbers, floats = selectors.numeric() | selectors.boolean(), selectors.float()
    typed = chosen.with_columns(numbers.cast(pl.Float64), (~numbers).cast(pl.String))
    # A feature that is undefined has an end of single precision, which would squeeze the rest of a chart.
    return typed.with_columns(pl.when(floats.abs() < LARGEST).then(floats))


def _without_extremes(before: pl.DataFrame, now: pl.DataFrame, table: DriftTable) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both frames, clipped at common ends, and with the categories of the development sample only."""
    labels = {variable.name: variable.labels for variable in table.variables}
    cuts: list[pl.Expr] = []
    for name in before.columns:
        values = pl.concat([before[name], now[name]])
        if values.dtype == pl.String:
            listed = pl.col(name).is_in(labels[name]) | pl.col(name).is_null()
            shown = pl.col(name).replace({label: without_tags(label) for label in labels[name]})
            cuts.append(pl.when(listed).then(shown).otherwise(pl.lit(OTHER)).alias(name))
        elif values.n_unique() > _MAX_DISCRETE_VALUES:
            shares = [(side[name], share) for side in (before, now) for share in (0.01, 0.99)]
            ends = [side.quantile(share, "linear") or 0.0 for side, share in shares]
            cuts.append(pl.col(name).clip(min(ends), max(ends)))
    return before.with_columns(cuts), now.with_columns(cuts)


def _run(before: pl.DataFrame, now: pl.DataFrame, table: DriftTable) -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    class Preset(DataDriftPreset):
        """Without the metrics of single columns, which would draw every figure a second time, unseen."""

        def generate_metrics(self, context: Any) -> Sequence[Any]:
            return super().generate_metrics(context)[:1]

    numbers = before.select(selectors.numeric()).columns
    definition = DataDefinition(
        numerical_columns=numbers, categorical_columns=[c for c in before.columns if c not in numbers]
    )
    thresholds = {v.name: v.warning for v in table.variables if v.name in before.columns}
    # One drifted variable counts as drift, as in the verdict. Evidently's default is half of them.
    share = round(0.9 / before.width, 4)
    preset = Preset(columns=before.columns, method="psi", per_column_threshold=thresholds, drift_share=share)
    return Report([preset]).run(
        current_data=Dataset.from_pandas(now.to_pandas(), data_definition=definition),
        reference_data=Dataset.from_pandas(before.to_pandas(), data_definition=definition),
    )


def _metrics(snapshot: Any) -> list[dict[str, Any]]:
    metrics = snapshot.dict()["metrics"]
    return [{"type": metric["config"]["type"], "value": metric["value"]} for metric in metrics]


def _columns(snapshot: Any) -> list[dict[str, Any]]:
    widgets = snapshot.to_snapshot_model().widgets
    rows = next(widget.params["data"] for widget in widgets if widget.type == "big_table")
    return [{ours: row[theirs] for theirs, ours in _FIELDS.items()} for row in rows]


def _page(page: str, title: str, table: DriftTable) -> str:
    seen: dict[str, str] = {}
    stable = _RANDOM_ID.sub(lambda match: seen.setdefault(match[0], f"id_{len(seen)}"), page)
    own = _SCRIPT.findall(stable)
    head = f"{content_policy(own)}\n    <title>{escape(plain_text(title))}</title>"
    titled = stable.replace("<head>", f"<head>\n    {head}", 1)
    return titled.replace("<body>", f"<body>\n{_heading(title, table)}", 1)


def _heading(title: str, table: DriftTable) -> str:
    drifted = [f"{v.name} ({v.psi:.2f})" for v in (*table.with_status("critical"), *table.with_status("warning"))]
    verdict = f"Verdict on all {table.rows:,} rows: {table.verdict}."
    if drifted:
        verdict += f" Population stability index at or above its threshold: {', '.join(drifted)}."
        verdict += f" Remedy: {table.remedy}. {table.remedy_reason}"
    return (
        '<header style="font: 16px/1.5 system-ui, sans-serif; color: #1b2733; margin: 1.5rem 2rem 0">'
        f'<h1 style="font-size: 1.5rem; margin: 0">{escape(plain_text(title))}</h1><p style="margin: .35rem 0">'
        f"{escape(verdict)} The charts below show samples of both sides, drawn by Evidently with its own bins."
        "</p></header>"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warnings of Evidently's imports and of empty bins."""
    import numpy as np

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
