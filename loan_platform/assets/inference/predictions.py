"""The champion scores the applications, batch by batch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.assets.specs.partitions import (
    BATCH,
    WHOLE,
    batch_column,
    batch_options,
    batches,
    chosen_batches,
    is_partitioned,
    partition_name,
)
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.scoring.decisions import DECISIONS, DECLINED
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.ledger.ledger import Champion

PREDICTIONS = "predictions"


def prediction_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`predictions`; none for a book without applications."""
    return [_predictions(book)] if "applications" in book.sources else []


def _predictions(book: Portfolio) -> dg.AssetsDefinition:
    upstream = ["applications", "promoted_model"]

    @book_asset(book, PREDICTIONS, "scoring", "polars", "parquet", deps=upstream, **batch_options(book))
    def predictions(
        context: dg.AssetExecutionContext, lake: LakeResource, ledger: LedgerResource
    ) -> dg.MaterializeResult:
        """The champion's response to each application: probability of default, score, decision, expected loss, reasons.

        Declined applications have their principal reasons first. Scoring a batch again replaces its file: the same
        champion gives the same bytes.
        """
        champion, files = ledger.champion(book), lake.open()
        model = lake.models(book).get(champion.model_sha256).bundle().model
        scored = _score(context, files, book, model, champion.version)
        written = list(_write_batches(context, files, book, champion, scored))
        if partitions := files.partitions(book.name, PREDICTIONS):
            files.point_latest(book.name, PREDICTIONS, partitions[-1])
        context.log.info(f"{scored.height:,} applications scored in {len(written)} batch(es)")
        rows = {} if is_partitioned(context) else {"dagster/row_count": scored.height}
        counts = {"rows_scored": scored.height, "batches": len(written), "model_version": champion.version}
        return dg.MaterializeResult(metadata=counts | rows)

    return predictions


def _score(
    context: dg.AssetExecutionContext, lake: Lake, book: Portfolio, model: ScoringModel, version: int
) -> pl.DataFrame:
    """Key, batch, answer and model version of the applications of this run."""
    applications = lake.scan(book.name, "applications").with_columns(batch_column(book))
    if is_partitioned(context):
        _warn_of_outside_dates(context, book, applications)
        applications = applications.filter(pl.col(BATCH).is_in(list(context.partition_keys)))
    about_row = [name for name in (book.contract.entity_key, book.contract.event_date) if name]
    needed = dict.fromkeys([*about_row, BATCH, *(c.name for c in model.inputs)])
    rows = applications.select(needed.keys()).collect()
    answers = Predictor(model).predict_frame(rows)
    model_version = pl.lit(version, pl.Int64).alias("model_version")
    return pl.concat([rows.select(*about_row, BATCH), answers], how="horizontal").with_columns(model_version)


def _warn_of_outside_dates(context: dg.AssetExecutionContext, book: Portfolio, applications: pl.LazyFrame) -> None:
    partitions = batches(book)
    inside = partitions.get_partition_keys() if partitions else []
    outside = applications.select((~pl.col(BATCH).is_in(inside).fill_null(False)).sum()).collect().item()
    context.add_output_metadata({"outside_partitions": outside})
    if outside:
        context.log.warning(
            f"{outside:,} applications are dated outside the partitions ({inside[0]} to {inside[-1]}) and are not "
            "scored: check their event date, or change partitions.start or partitions.end"
        )


def _write_batches(
    context: dg.AssetExecutionContext, lake: Lake, book: Portfolio, champion: "Champion", scored: pl.DataFrame
) -> Iterator[str]:
    """Write one file for each batch, and give the batch's name."""
    parts = {str(batch): part for (batch,), part in scored.partition_by(BATCH, as_dict=True).items()}
    # A batch that was scored once and has no applications any more becomes empty.
    known = sorted({*parts, *lake.partitions(book.name, PREDICTIONS)})
    for batch in chosen_batches(context, known) if is_partitioned(context) else [WHOLE]:
        part = parts.get(batch, scored.clear()).sort(book.contract.entity_key)
        partition = partition_name(book, batch)
        published = lake.write(part, book.name, PREDICTIONS, partition)
        if partition:
            metadata: dict[str, Any] = {
                "dagster/row_count": part.height,
                "model_version": champion.version,
                **_figures(part),
                "sha256": published.sha256,
            }
            context.add_asset_metadata(metadata, partition_key=batch)
        yield batch


def _figures(part: pl.DataFrame) -> dict[str, Any]:
    """Of a batch: mean probability, expected loss of what is not declined, and shares of the decisions."""
    decided = [(pl.col("decision") == name).mean().alias(f"{name}_share") for name in DECISIONS]
    loss = pl.col("expected_loss").filter(pl.col("decision") != DECLINED).sum()
    return part.select(pl.col("probability").mean().alias("mean_probability"), loss, *decided).row(0, named=True)
