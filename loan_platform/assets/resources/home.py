"""Base of the resources that keep files or databases in the platform home."""

import dagster as dg

from loan_platform.settings.platform import TrackingSettings


class HomeResource(dg.ConfigurableResource):
    """A resource in the platform home. The home is made before the first step, so any job works on an empty one."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Create the folders and databases of the home where they are missing."""
        from loan_platform.adapters.platform.home import ensure_run_home

        ensure_run_home(TrackingSettings.from_environment())
