"""Run a Dagster job in this process and show each step as it happens."""

import sys
import threading
import uuid
from typing import Any, TextIO

import dagster as dg

from loan_platform.cli.run_log import RunLog

# Dagster's own console log shows every event; the lines of `RunLog` show what a person wants to see.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
POLL_SECONDS = 0.2


def run_job(
    defs: dg.Definitions,
    name: str,
    instance: dg.DagsterInstance,
    log: RunLog,
    tags: dict[str, str] | None = None,
    ops: dict[str, Any] | None = None,
    out: TextIO | None = None,
) -> bool:
    """Run one job to its end, with a line in `out` (standard error) for each message, finished step and failed check.

    `ops` is the configuration of its steps. Returns whether it succeeded. What happened is added to `log`.
    """
    job, run_id = defs.resolve_job_def(name), str(uuid.uuid4())
    outcome: list[bool] = []
    failures: list[str] = []

    def execute() -> None:
        try:
            result = job.execute_in_process(
                QUIET | {"ops": ops or {}}, instance, run_id=run_id, tags=tags, raise_on_error=False
            )
            outcome.append(result.success)
        except Exception as error:  # of Dagster itself; it must reach the person who waits
            failures.append(f"{name}: {error}")

    shown = out or sys.stderr
    worker = threading.Thread(target=execute, name=name, daemon=True)
    worker.start()
    cursor, running = None, True
    while running:
        worker.join(POLL_SECONDS)
        running = worker.is_alive()
        page = instance.get_records_for_run(run_id, cursor)
        for record in page.records:
            shown.writelines(f"{line}\n" for line in log.add(record.event_log_entry))
        shown.flush()
        cursor = page.cursor
    log.errors += failures
    shown.writelines(f"✗ {failure}\n" for failure in failures)
    return outcome == [True]
