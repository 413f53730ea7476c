"""Typed loans become the features of the model."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from loan_platform.adapters.storage.lake import write_in_slices
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.specs.book_assets import book_asset
from loan_platform.core.book.constants import TARGET
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.features.feature_set import FeatureSet
from loan_platform.core.plain_text import markdown_text

SLICE_ROWS = 250_000


def feature_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`loan_features`."""
    return [_loan_features(book)]


def _loan_features(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, "loan_features", "training", "polars", "parquet", deps=["validated_loans"])
    def loan_features(lake: LakeResource) -> dg.MaterializeResult:
        """The model's features of every loan, computed by the contract's SQL, with key, event date and target."""
        features, files = FeatureSet(book.contract, book.training.use_pricing), lake.open()
        loans = files.scan(book.name, "validated_loans")
        with files.publish(book.name, "loan_features") as path:
            rows = write_in_slices(_slices(book, features, loans), path)
        published = files.published(book.name, "loan_features")
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
    """Key, event date, target and features, in parts that fit into memory."""
    about_loan = [name for name in (book.contract.entity_key, book.contract.event_date, TARGET) if name]
    needed = list(dict.fromkeys([*about_loan, *(column.name for column in features.inputs)]))
    rows = loans.select(pl.len()).collect().item()
    for start in range(0, max(rows, 1), SLICE_ROWS):
        part = loans.select(needed).slice(start, SLICE_ROWS).collect()
        yield pl.concat([part.select(about_loan), features.compute(part)], how="horizontal")


def _schema(book: Portfolio, features: FeatureSet) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(f.name, type=f.kind, description=f"{markdown_text(f.description)} `{f.sql}`")
            for f in features.features
        ]
    )
