"""The resources of the code location, configured once from the settings."""

import os

import dagster as dg

from loan_platform.assets.resources.bentos import BentosResource
from loan_platform.assets.resources.gcs import GcsResource
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.resources.service_records import ServiceRecordsResource
from loan_platform.assets.resources.sources import SourcesResource
from loan_platform.assets.resources.warehouse import WarehouseResource
from loan_platform.settings.checkout import code_root
from loan_platform.settings.platform import TrackingSettings


def platform_resources(settings: TrackingSettings) -> dict[str, dg.ConfigurableResource]:
    """Every resource by the name of the asset parameter that takes it.

    A setting that only some assets need is read when they open its resource: if it is unusable, they alone fail.
    An address that may hold a password is a `dg.EnvVar`: Dagster shows the variable's name, never its value.
    """
    gcs = GcsResource(
        project=_variable("GOOGLE_CLOUD_PROJECT"), credentials=_variable("GOOGLE_APPLICATION_CREDENTIALS")
    )
    scratch = str(settings.cache)
    artifacts = str(settings.mlartifacts) if settings.embedded_tracking else None
    return {
        "lake": LakeResource(root=str(settings.lake)),
        "reports": ReportsResource(root=str(settings.reports)),
        "warehouse": WarehouseResource(scratch=scratch),
        "gcs": gcs,
        "sources": SourcesResource(home=str(settings.home), cache=scratch, gcs=gcs),
        "mlflow": MlflowResource(
            tracking_uri=_variable("MLFLOW_TRACKING_URI") or settings.tracking_uri, artifacts=artifacts
        ),
        "ledger": LedgerResource(home=str(settings.home), url=_variable("LOAN_LEDGER_URL")),
        "bentos": BentosResource(store=str(settings.bentos), checkout=str(code_root())),
        "service_records": ServiceRecordsResource(folder=str(settings.service)),
    }


def _variable(name: str) -> dg.EnvVar | None:
    return dg.EnvVar(name) if os.environ.get(name, "").strip() else None
