"""Typed loans become the model's inputs."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import write_in_slices
from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.features.feature_set import FeatureSet

SLICE_ROWS = 250_000


def feature_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`loan_features`."""
    return [_loan_features(book)]


def _loan_features(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(book, "loan_features", "polars", "parquet", deps=["validated_loans"])
    def loan_features(platform: Platform) -> dg.MaterializeResult:
        """The model's inputs of every loan, by the contract's SQL, beside its key, event date and target."""
        features = FeatureSet(book.contract, book.training.use_pricing)
        loans = platform.lake.scan(book.name, "validated_loans")
        with platform.lake.publish(book.name, "loan_features") as path:
            rows = write_in_slices(_slices(book, features, loans), path)
        published = platform.lake.published(book.name, "loan_features")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows,
                "features": len(features.names),
                "sha256": published.sha256,
                "dagster/column_schema": _schema(book, features),
            }
        )

    return loan_features


def _slices(book: Portfolio, features: FeatureSet, loans: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Key, event date, target and features, some hundred thousand loans at a time."""
    about_loan = [name for name in (book.contract.entity_key, book.contract.event_date, TARGET) if name]
    needed = list(dict.fromkeys([*about_loan, *(column.name for column in features.inputs)]))
    rows = loans.select(pl.len()).collect().item()
    for start in range(0, max(rows, 1), SLICE_ROWS):
        part = loans.select(needed).slice(start, SLICE_ROWS).collect()
        yield pl.concat([part.select(about_loan), features.compute(part)], how="horizontal")


def _schema(book: Portfolio, features: FeatureSet) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(f.name, type=f.kind, description=f"{f.description} `{f.sql}`") for f in features.features]
    )
