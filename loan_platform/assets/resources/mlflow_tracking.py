"""MLflow: training runs and the model registry."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.assets.resources.home import HomeResource

if TYPE_CHECKING:  # imports SQLAlchemy
    from loan_platform.adapters.tracking.registry import Registry


class MlflowResource(HomeResource):
    """MLflow: training runs with their plots, and the versions of every model."""

    tracking_uri: str = Field(description="Address of the MLflow server, or a SQLite database in the platform home.")
    artifacts: str | None = Field(
        default=None, description="Folder of plots and logged models. Empty for a server, which keeps them itself."
    )

    def tracking(self) -> Tracking:
        """MLflow's runs."""
        return Tracking(self.tracking_uri.strip(), Path(self.artifacts) if self.artifacts else None)

    def registry(self) -> "Registry":
        """MLflow's model versions."""
        from loan_platform.adapters.tracking.registry import Registry

        return Registry(self.tracking())
