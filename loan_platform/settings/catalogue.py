"""All classes of settings, and the variables that are set by a former name."""

import os
from collections.abc import Mapping

from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.environment import EnvironmentSettings
from loan_platform.settings.http import HttpSettings
from loan_platform.settings.platform import PlatformSettings
from loan_platform.settings.service import LimitSettings, ServiceSettings
from loan_platform.settings.telemetry import TelemetrySettings

CLASSES: tuple[type[EnvironmentSettings], ...] = (
    PlatformSettings,
    ServiceSettings,
    LimitSettings,
    HttpSettings,
    TelemetrySettings,
    AuditSettings,
)


def renamed_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """One sentence for each variable that is set by a former name."""
    current = {
        former: variable.name
        for settings in CLASSES
        for _, _, variable in settings.variables()
        for former in variable.former
    }
    return [
        f"{former} is now {name}. The old name still works."
        for former, name in sorted(current.items())
        if environ.get(former, "").strip()
    ]
