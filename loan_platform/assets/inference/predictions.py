"""The champion scores the applications, batch by batch."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.assets.registry.champion_evidence import require_allowed
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.specs.book_assets import asset_key, book_spec
from loan_platform.assets.specs.explained import explained
from loan_platform.assets.specs.partitions import (
    BATCH,
    WHOLE,
    batch_column,
    batch_options,
    batches,
    chosen_batches,
    is_partitioned,
    names_all_batches,
    partition_name,
    require_range,
    tell_batch,
)
from loan_platform.core.book.constants import CONTENT, IN_LAST_FILE
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.scoring.answer_history import with_new_answers
from loan_platform.core.scoring.decisions import DECISIONS, DECLINED
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.core.scoring.scoring_model import ScoringModel

PREDICTIONS, HISTORY = NAMES = ("predictions", "answer_history")
FIGURES_OF = ("probability", "decision", "expected_loss")
DESCRIPTIONS = (
    "As scored today: the champion's answer to each application, with probability of default, score, decision, "
    "expected loss and reasons. Declined applications have their principal reasons first. A run without a range scores "
    "the batches that the last file has applications of, and those that changed or were never scored. Scoring a batch "
    "again replaces its file: the same champion gives the same bytes.",
    "As decided: every answer that was given to an application, for ever, numbered by key in each batch. A later model "
    "that scores it again adds an answer and changes none.",
)


def prediction_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`predictions` and `answer_history`; none for a book without applications."""
    return [_predictions(book)] if "applications" in book.sources else []


def _predictions(book: Portfolio) -> dg.AssetsDefinition:
    upstream = ["applications", "decision_policy"]

    @dg.multi_asset(
        name=f"{book.name}__{PREDICTIONS}",
        specs=[
            book_spec(book, name, "scoring", text, "polars", "parquet", deps=upstream)
            for name, text in zip(NAMES, DESCRIPTIONS, strict=True)
        ],
        **batch_options(book),
    )
    @explained
    def predictions(
        context: dg.AssetExecutionContext, lake: LakeResource, ledger: LedgerResource
    ) -> Iterator[dg.MaterializeResult]:
        require_range(context, book)
        champion, files = ledger.champion(book), lake.open()
        require_allowed(book, lake.models(book), champion)
        model = lake.models(book).get(champion.model_sha256).bundle().model
        applications = _applications(files, book)
        chosen = _chosen(context, files, book, applications)
        scored = _score(applications.filter(pl.col(BATCH).is_in(chosen)), book, model, champion.version)
        for batch in chosen:
            _write_batch(files, book, batch, scored.filter(pl.col(BATCH) == batch))
        if partitions := files.partitions(book.name, PREDICTIONS):
            files.point_latest(book.name, PREDICTIONS, partitions[-1])
            for batch in chosen_batches(context, partitions):
                _tell(context, files, book, batch, batch in chosen)
        context.log.info(f"{scored.height:,} applications scored in {len(chosen)} batch(es)")
        version = champion.version
        rows = {} if is_partitioned(context) else {"dagster/row_count": scored.height, "model_version": version}
        counts = {"rows_scored": scored.height, "batches": len(chosen), "champion_version": version}
        for name in NAMES:
            yield dg.MaterializeResult(asset_key=asset_key(book, name), metadata=counts | rows)

    return predictions


def _applications(lake: Lake, book: Portfolio) -> pl.LazyFrame:
    """The applications with the batch of each."""
    applications = lake.scan(book.name, "applications")
    if CONTENT not in applications.collect_schema():
        raise NotMaterializedError(
            "the applications were written by an earlier version of the platform: materialize applications again"
        )
    return applications.with_columns(batch_column(book))


def _chosen(context: dg.AssetExecutionContext, lake: Lake, book: Portfolio, applications: pl.LazyFrame) -> list[str]:
    """The batches to score, in order of time.

    A run that names batches scores those. Another run scores the batches that the last file has applications of, and
    those whose published predictions are not of the applications that there are now.
    """
    partitions = batches(book)
    if partitions is not None:  # `inside_partitions` of the applications tells of the others
        applications = applications.filter(pl.col(BATCH).is_in(partitions.get_partition_keys()))
    which = [BATCH, book.contract.entity_key, CONTENT]
    present = applications.select(*which, IN_LAST_FILE).collect()
    scored, older = _scored(lake, book)
    if not names_all_batches(context):
        return chosen_batches(context, sorted({*present[BATCH], *scored[BATCH], *older}))
    brought = present.filter(pl.col(IN_LAST_FILE))[BATCH]
    not_scored, gone = (
        present.join(scored, on=which, how="anti")[BATCH],
        scored.join(present, on=which, how="anti")[BATCH],
    )
    return sorted({*brought, *not_scored, *gone, *older})


def _scored(lake: Lake, book: Portfolio) -> tuple[pl.DataFrame, set[str]]:
    """Batch, key and content of every application that has a prediction; batches that an earlier version scored."""
    which = {BATCH: pl.String(), book.contract.entity_key: pl.String(), CONTENT: pl.String()}
    names: list[str | None] = [*lake.partitions(book.name, PREDICTIONS)]
    if not names and lake.exists(book.name, PREDICTIONS):
        names = [None]
    frames = {name: lake.scan(book.name, PREDICTIONS, name) for name in names}
    current = {name: frame for name, frame in frames.items() if CONTENT in frame.collect_schema()}
    found = pl.concat([pl.LazyFrame(schema=which), *(frame.select(*which) for frame in current.values())])
    return found.collect(), {name or WHOLE for name in frames.keys() - current.keys()}


def _score(applications: pl.LazyFrame, book: Portfolio, model: ScoringModel, version: int) -> pl.DataFrame:
    """Key, batch, answer, model version and content of applications."""
    about_row = [name for name in (book.contract.entity_key, book.contract.event_date) if name]
    needed = dict.fromkeys([*about_row, BATCH, CONTENT, *(c.name for c in model.inputs)])
    rows = applications.select(needed.keys()).collect()
    answers = Predictor(model).predict_frame(rows)
    model_version = pl.lit(version, pl.Int64).alias("model_version")
    scored = pl.concat([rows.select(*about_row, BATCH), answers, rows.select(CONTENT)], how="horizontal")
    return scored.select(pl.exclude(CONTENT), model_version, CONTENT)


def _write_batch(lake: Lake, book: Portfolio, batch: str, part: pl.DataFrame) -> None:
    """Publish the answers to one batch, and add those that are new to its history."""
    partition, entity = partition_name(book, batch), book.contract.entity_key
    part = part.sort(entity)
    with lake.one_writer(book.name, PREDICTIONS, partition):
        history = lake.read(book.name, HISTORY, partition) if lake.exists(book.name, HISTORY, partition) else None
        answers = with_new_answers(history, part, entity)
        with lake.publish_together(book.name, NAMES, partition) as paths:
            part.write_parquet(paths[PREDICTIONS], statistics=True)
            answers.write_parquet(paths[HISTORY], statistics=True)


def _tell(context: dg.AssetExecutionContext, lake: Lake, book: Portfolio, batch: str, scored_now: bool) -> None:
    """Record the figures of a published batch. Dagster records every batch that the run names, also unchanged ones."""
    part = lake.scan(book.name, PREDICTIONS, batch).select(*FIGURES_OF, "model_version").collect()
    metadata: dict[str, Any] = {
        "dagster/row_count": part.height,
        "model_version": part["model_version"].max(),
        **_figures(part),
        "scored_in_this_run": scored_now,
        "sha256": lake.sha256(book.name, PREDICTIONS, batch),
    }
    answers = lake.scan(book.name, HISTORY, batch).select(pl.len()).collect().item()
    tell_batch(context, asset_key(book, PREDICTIONS), batch, metadata)
    tell_batch(context, asset_key(book, HISTORY), batch, {"dagster/row_count": answers})


def _figures(part: pl.DataFrame) -> dict[str, Any]:
    """Of a batch: mean probability, expected loss of what is not declined, and shares of the decisions."""
    decided = [(pl.col("decision") == name).mean().alias(f"{name}_share") for name in DECISIONS]
    loss = pl.col("expected_loss").filter(pl.col("decision") != DECLINED).sum()
    return part.select(pl.col("probability").mean().alias("mean_probability"), loss, *decided).row(0, named=True)
