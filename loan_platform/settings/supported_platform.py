"""Which operating systems the platform runs on."""

import sys

from loan_platform.settings.environment import SettingsError


def require_supported_platform(platform: str = sys.platform) -> None:
    """Check the operating system, before anything that needs it is imported.

    Raises:
        SettingsError: it is neither Linux nor macOS. WSL is Linux.
    """
    if platform not in ("linux", "darwin"):
        raise SettingsError("The loan platform runs on Linux, macOS and WSL. On Windows, start it inside WSL.")
