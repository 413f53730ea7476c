"""What a worker starts with, read and checked once."""

from collections.abc import Mapping
from typing import NamedTuple

from bento.model.baked_model import baked_model, check_ledger_can_be_read
from bento.model.champion_ref import ChampionRef
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.ledger.signing import LedgerKey
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
    ledger_key: LedgerKey | None = None


def checked_setup(environment: Mapping[str, str]) -> WorkerSetup:
    """What the workers start with. The supervisor checks it: a worker that cannot start is started again for ever.

    Raises:
        ExplainedError: a setting or a key cannot be used.
    """
    baked = baked_model()
    service = ServiceSettings.for_bento(baked.portfolio if baked else None, environment)
    ledger_key = LedgerKey.read(service.ledger_key) if service.ledger_key else None
    if baked is not None and ledger_key is not None:
        baked.require_signed(ledger_key)
    if service.follows_ledger:
        check_ledger_can_be_read()
    limits, telemetry = LimitSettings.from_environment(environment), TelemetrySettings.from_environment(environment)
    audit = AuditSettings.for_portfolio(service.portfolio, environment)
    if audit.inputs == "encrypted":
        AuditKey.read(audit.key)
    keys = None if service.development else KeyFile(service.api_keys)
    if keys is not None:
        keys.check_not_empty()
    return WorkerSetup(
        service,
        limits,
        telemetry,
        HttpSettings.from_environment(environment),
        audit,
        keys,
        baked.ref if baked else None,
        ledger_key,
    )
