"""Typed loans become the model's inputs."""

import dagster as dg
import polars as pl

from loan_platform.assets.graph import asset_of
from loan_platform.assets.platform import Platform
from loan_platform.core.features import FeatureSet
from loan_platform.core.portfolio import Portfolio
from loan_platform.core.table import TARGET


def feature_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`loan_features`."""
    return [_loan_features(book)]


def _loan_features(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(book, "loan_features", "polars", "parquet", deps=["validated_loans"])
    def loan_features(platform: Platform) -> dg.MaterializeResult:
        """The model's inputs of every loan, by the contract's SQL, beside its key, event date and target."""
        loans = platform.lake.scan(book.name, "validated_loans")
        features = FeatureSet(book.contract, book.training.use_pricing)
        about_loan = [book.contract.entity_key, book.contract.event_date, TARGET]
        frame = pl.concat(
            [loans.select(c for c in about_loan if c).collect(), features.compute(loans)], how="horizontal"
        )
        published = platform.lake.write(frame, book.name, "loan_features")
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": frame.height,
                "features": len(features.names),
                "sha256": published.sha256,
                "dagster/column_schema": _schema(book, features),
            }
        )

    return loan_features


def _schema(book: Portfolio, features: FeatureSet) -> dg.TableSchema:
    return dg.TableSchema(
        [dg.TableColumn(f.name, type=f.kind, description=f"{f.description} `{f.sql}`") for f in features.features]
    )
