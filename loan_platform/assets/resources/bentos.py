"""Bentos: built scoring services."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from loan_platform.assets.resources.home import HomeResource

if TYPE_CHECKING:  # imported when first used: every Dagster process loads this module
    from loan_platform.adapters.service.bentos import BentoStore


class BentosResource(HomeResource):
    """BentoML's store with the built scoring services of every book."""

    store: str = Field(description="Folder of the store, the value of BENTOML_HOME.")
    checkout: str = Field(description="Folder with the code of the service, `bento/` and `loan_platform/`.")

    def open(self) -> "BentoStore":
        """Build Bentos and find them."""
        from loan_platform.adapters.service.bentos import BentoStore

        return BentoStore(Path(self.store), Path(self.checkout))
