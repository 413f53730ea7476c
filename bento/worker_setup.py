"""What a worker starts with, read and checked once."""

from typing import NamedTuple

from bento.model.champion_ref import ChampionRef
from loan_platform.adapters.service.api_keys import KeyFile
from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.http import HttpSettings
from loan_platform.settings.service import LimitSettings, ServiceSettings
from loan_platform.settings.telemetry import TelemetrySettings


class WorkerSetup(NamedTuple):
    """Settings and keys. `baked` is the champion that a Bento contains; None in a checkout."""

    service: ServiceSettings
    limits: LimitSettings
    telemetry: TelemetrySettings
    http: HttpSettings
    audit: AuditSettings
    keys: KeyFile | None
    baked: ChampionRef | None
