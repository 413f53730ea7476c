"""The lines of `dagster.yaml` that name the platform's event log. They need no import of Dagster."""

import json
from pathlib import Path

_LINES = """
# Written by the platform: it keeps the connections of Dagster's event log open (docs/decisions).
event_log_storage:
  module: loan_platform.adapters.platform.event_log
  class: EventLog
  config: {{base_dir: {folder}}}
"""


def event_log_yaml(dagster_home: Path) -> str:
    """The lines for the instance in a folder. Dagster's own storage has its databases in the same place."""
    return _LINES.format(folder=json.dumps(str(dagster_home / "history" / "runs"), ensure_ascii=False))
