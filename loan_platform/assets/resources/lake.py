"""The lake: Parquet files of every asset, and the trained models."""

from pathlib import Path

from pydantic import Field

from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.model_store import ModelStore
from loan_platform.assets.resources.home import HomeResource
from loan_platform.core.book.portfolio import Portfolio


class LakeResource(HomeResource):
    """Parquet files of every asset and the trained models of every book, each published in one step."""

    root: str = Field(description="Folder of the lake. Each book has a folder in it, each asset a folder in that.")

    def open(self) -> Lake:
        """The Parquet files."""
        return Lake(Path(self.root))

    def models(self, book: Portfolio) -> ModelStore:
        """The book's trained models."""
        return ModelStore(Path(self.root) / book.name / "trained_model")
