"""Google Cloud Storage, for sources with a gs:// URI."""

from typing import Any

import dagster as dg
from pydantic import Field

from loan_platform.adapters.sources.gcs import GcsAccess


class GcsResource(dg.ConfigurableResource):
    """Google Cloud Storage through dagster-gcp's `GCSResource`, which is imported at the first gs:// source.

    The import takes four seconds, more than the whole code location.
    """

    project: str | None = Field(
        default=None, description="Google Cloud project. Empty: the project of the credentials."
    )
    credentials: str | None = Field(
        default=None, description="Path of a credentials file. Empty: Google's application default credentials."
    )

    def access(self) -> GcsAccess:
        """Project and credentials for `sources`."""
        return GcsAccess(self.project or None, self.credentials or None)

    def get_client(self) -> Any:
        """The `google.cloud.storage.Client`, as dagster-gcp's resource gives it."""
        return self.access().client()
