"""Applications are staged by the same contract and scored by the champion, batch by batch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from loan_platform.assets.ingestion.staging import stage_source, staged_metadata, staging_checks, staging_results
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import (
    asset_of,
    batch_options,
    batches,
    chosen_batches,
    explained,
    is_partitioned,
    key,
    linked_with,
    spec_of,
)
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.scoring.decisions import DECISIONS, DECLINED
from loan_platform.core.scoring.predictor import Predictor

if TYPE_CHECKING:
    from loan_platform.adapters.ledger.ledger import Champion

BATCH = "partition"
WHOLE = "all"
FORMATS = {"month": "%Y-%m", "day": "%Y-%m-%d"}


def inference_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`applications` with `quarantined_applications`, and `predictions`; none for a book without applications."""
    return [_applications(book), _predictions(book)] if "applications" in book.sources else []


def batch_of(book: Portfolio) -> pl.Expr:
    """The batch that a row belongs to, by its event date: `2018-07`, or `all` for a book without dates."""
    every = book.partitions.every
    if every == "none" or book.contract.event_date is None:
        return pl.lit(WHOLE).alias(BATCH)
    return pl.col(book.contract.event_date).dt.to_string(FORMATS[every]).alias(BATCH)


def partition_name(book: Portfolio, batch: str) -> str | None:
    """The lake's and Dagster's name of a batch: none where the book is one batch."""
    return None if book.partitions.every == "none" else batch


def _applications(book: Portfolio) -> dg.AssetsDefinition:
    names = ("applications", "quarantined_applications")
    described = (
        "Applications to score: typed by the same contract as the loans, no outcome needed.",
        "Applications that were refused: file, line, column, reason, never the value.",
    )

    @dg.multi_asset(
        name=f"{book.name}__applications",
        specs=[
            spec_of(book, name, text, "duckdb", "parquet", deps=linked_with(book))
            for name, text in zip(names, described, strict=True)
        ],
        check_specs=list(staging_checks(book, names[0])),
    )
    @explained
    def applications(
        context: dg.AssetExecutionContext, platform: Platform
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        from loan_platform.adapters.reports.evidently_report import drift_report_process

        drift_report_process.start()  # Evidently is imported while applications are read and scored
        staged = stage_source(platform, book, "applications", names)
        context.log.info(f"{staged.accepted:,} of {staged.rows_in:,} rows accepted")
        for name, metadata in zip(names, staged_metadata(staged), strict=True):
            yield dg.MaterializeResult(asset_key=key(book, name), metadata=metadata)
        yield from staging_results(book, names[0], staged)

    return applications


def _predictions(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(
        book,
        "predictions",
        "polars",
        "parquet",
        deps=["applications", "promoted_model"],
        **batch_options(book),
    )
    def predictions(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """The champion's answer to every application: probability of default, score, decision, expected loss, reasons.

        One file for each batch. Reasons are told for what is declined, the principal ones first.

        Scoring a batch again replaces its file; the same champion gives the same bytes.
        """
        champion = platform.champion(book)
        scored = _score(context, platform, book, champion)
        written = list(_write_batches(context, platform, book, champion, scored))
        if partitions := platform.lake.partitions(book.name, "predictions"):
            platform.lake.point_latest(book.name, "predictions", partitions[-1])
        context.log.info(f"{scored.height:,} applications scored in {len(written)} batch(es)")
        whole = {} if is_partitioned(context) else {"dagster/row_count": scored.height}
        told = {"rows_scored": scored.height, "batches": len(written), "model_version": champion.version}
        return dg.MaterializeResult(metadata=told | whole)

    return predictions


def _score(
    context: dg.AssetExecutionContext, platform: Platform, book: Portfolio, champion: "Champion"
) -> pl.DataFrame:
    """Key, batch, answer and model version of the applications that this run is about."""
    model = platform.models(book).get(champion.model_sha256).bundle().model
    waiting = platform.lake.scan(book.name, "applications").with_columns(batch_of(book))
    if is_partitioned(context):
        _tell_outside(context, book, waiting)
        waiting = waiting.filter(pl.col(BATCH).is_in(list(context.partition_keys)))
    about_row = [name for name in (book.contract.entity_key, book.contract.event_date) if name]
    rows = waiting.select(dict.fromkeys([*about_row, BATCH, *(c.name for c in model.inputs)]).keys()).collect()
    version = pl.lit(champion.version, pl.Int64).alias("model_version")
    return pl.concat(
        [rows.select(*about_row, BATCH), Predictor(model).predict_frame(rows)], how="horizontal"
    ).with_columns(version)


def _tell_outside(context: dg.AssetExecutionContext, book: Portfolio, waiting: pl.LazyFrame) -> None:
    partitions = batches(book)
    inside = partitions.get_partition_keys() if partitions else []
    outside = waiting.select((~pl.col(BATCH).is_in(inside).fill_null(False)).sum()).collect().item()
    context.add_output_metadata({"outside_partitions": outside})
    if outside:
        context.log.warning(
            f"{outside:,} applications are dated outside the partitions ({inside[0]} to {inside[-1]}) and are not "
            "scored: look at their event date, or change partitions.start or partitions.end"
        )


def _write_batches(
    context: dg.AssetExecutionContext,
    platform: Platform,
    book: Portfolio,
    champion: "Champion",
    scored: pl.DataFrame,
) -> Iterator[str]:
    parts = {str(batch): part for (batch,), part in scored.partition_by(BATCH, as_dict=True).items()}
    # A batch that was scored once and has no applications any more is emptied, not left as it was.
    known = sorted({*parts, *platform.lake.partitions(book.name, "predictions")})
    for batch in chosen_batches(context, known) if is_partitioned(context) else [WHOLE]:
        part = parts.get(batch, scored.clear()).sort(book.contract.entity_key)
        published = platform.lake.write(part, book.name, "predictions", partition_name(book, batch))
        metadata: dict[str, Any] = {
            "dagster/row_count": part.height,
            "model_version": champion.version,
            **_portfolio(part),
            "sha256": published.sha256,
        }
        if partition_name(book, batch):
            context.add_asset_metadata(metadata, partition_key=batch)
        yield batch


def _portfolio(part: pl.DataFrame) -> dict[str, Any]:
    """Of a batch: mean probability, expected loss of what is not declined, and shares of the decisions."""
    decided = [(pl.col("decision") == name).mean().alias(f"{name}_share") for name in DECISIONS]
    loss = pl.col("expected_loss").filter(pl.col("decision") != DECLINED).sum()
    return part.select(pl.col("probability").mean().alias("mean_probability"), loss, *decided).row(0, named=True)
