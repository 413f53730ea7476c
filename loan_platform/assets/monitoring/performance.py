"""What became of the scored loans, against what was predicted."""

import json
from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from loan_platform.assets.ingestion.staging import stage_source
from loan_platform.assets.monitoring.served import SERVED
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of, key, linked_with
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.performance import Performance, performance
from loan_platform.core.monitoring.served_table import last_answers


def performance_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`outcomes` and `performance_report`; none for a book whose outcomes never come in."""
    return [_outcomes(book), _performance_report(book)] if "outcomes" in book.sources else []


def _outcomes(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(book, "outcomes", "duckdb", "parquet", deps=linked_with(book))
    def outcomes(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """What has become of loans scored earlier: key and outcome, from a later file of the lender."""
        if not platform.has_source(book, "outcomes"):
            context.log.warning("no file of outcomes yet: performance is unknown until one comes in")
            return dg.MaterializeResult(metadata={"dagster/row_count": 0, "known": 0})
        staged = stage_source(platform, book, "outcomes", ("outcomes", "quarantined_outcomes"), outcomes=True)
        context.log.info(f"{staged.resolved:,} of {staged.accepted:,} outcomes are known")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": staged.accepted,
                "known": staged.resolved,
                "quarantined": staged.quarantined,
            }
        )

    return outcomes


def _performance_report(book: Portfolio) -> dg.AssetsDefinition:
    every_batch = dg.AssetDep(key(book, "predictions"), partition_mapping=dg.AllPartitionMapping())

    @asset_of(book, "performance_report", "polars", deps=[every_batch, SERVED, "outcomes"])
    def performance_report(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """How past predictions turned out, served ones too, by vintage; before their loans mature it says "unknown".

        Loans that a model was developed on say nothing about its performance and are left out.
        """
        champion = platform.champion(book)
        test = platform.read_report(book, f"evaluation/{champion.model_sha256}.json")["test"]
        found = performance(_past_predictions(platform, book), test["gini"], book.drift)
        content = found.to_json() | {"reason": found.overall.reason}
        platform.write_report(book, "performance.json", json.dumps(content, indent=1) + "\n")
        context.log.info(f"{found.verdict}: {found.overall.reason}")
        return dg.MaterializeResult(metadata=_performance_metadata(found))

    return performance_report


def _past_predictions(platform: Platform, book: Portfolio) -> pl.DataFrame:
    """Vintage, probability, outcome and whether the model was developed on the loan, of every prediction."""
    entity, date = book.contract.entity_key, book.contract.event_date
    batches = platform.lake.partitions(book.name, "predictions") or [None]
    about = [name for name in (entity, date, "probability", "model_version") if name]
    scored = pl.concat([platform.lake.read(book.name, "predictions", batch).select(about) for batch in batches])
    scored = pl.concat([scored, _served(platform, book, scored).select(about)])
    outcomes = _known_outcomes(platform, book)
    development = pl.concat(list(_development_keys(platform, book, scored["model_version"].unique().to_list())))
    joined = scored.join(outcomes, on=entity, how="left").join(development, on=[entity, "model_version"], how="left")
    vintage = pl.col(date) if date else pl.lit(None, pl.Date)
    return joined.select(
        vintage.alias("vintage"), "probability", "outcome", in_sample=pl.col("in_sample").fill_null(False)
    )


def _served(platform: Platform, book: Portfolio, scored: pl.DataFrame) -> pl.DataFrame:
    """The service's last answer to each loan that no batch scored, by models of which the ledger knows."""
    entity = book.contract.entity_key
    if not platform.lake.exists(book.name, SERVED):
        return scored.clear()
    known = [entry.version for entry in platform.ledger.history(book.name)]
    answers = last_answers(platform.lake.read(book.name, SERVED), entity)
    return answers.filter(pl.col("model_version").is_in(known)).join(scored, on=entity, how="anti")


def _known_outcomes(platform: Platform, book: Portfolio) -> pl.DataFrame:
    entity = book.contract.entity_key
    if not platform.lake.exists(book.name, "outcomes"):  # no file has come in yet
        return pl.DataFrame(schema={entity: pl.String, "outcome": pl.Int32})
    return platform.lake.read(book.name, "outcomes").select(entity, outcome="target")


def _development_keys(platform: Platform, book: Portfolio, versions: list[int]) -> Iterator[pl.DataFrame]:
    for version in versions:
        keys = platform.scored_by(book, version).frame("development_keys")
        yield keys.with_columns(model_version=pl.lit(version, pl.Int64), in_sample=True)


def _performance_metadata(found: Performance) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "verdict": found.verdict,
        "reason": found.overall.reason,
        "scored": found.overall.scored,
        "known": found.overall.known,
    }
    if found.overall.metrics is None:
        return metadata
    from loan_platform.adapters.reports.canvas import markdown_image
    from loan_platform.adapters.reports.plots import vintage_plot

    metadata |= {
        "auc": found.overall.metrics.auc,
        "ks": found.overall.metrics.ks,
        "ece": found.overall.metrics.ece,
    }
    return metadata | {"by_vintage": dg.MarkdownMetadataValue(markdown_image(vintage_plot(found.to_frame())))}
