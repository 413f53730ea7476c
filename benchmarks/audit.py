"""CPU time and latency of one audit record, for one caller and for 32 at once.

    python benchmarks/audit.py .loan_platform/lake/lending_club/trained_model/<sha256>/bundle [--folder FOLDER]

The application is the bundle's first golden row. The folder is on the disk that is measured.
"""

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import REGISTRY

from bento.model.champion import Serving
from bento.model.records import Asked, Records
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.settings.audit import AuditSettings

ANSWERS = 4_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--folder", type=Path, help="where the records are written; a temporary folder without it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        serving = Serving.of(1, load_bundle(arguments.bundle).sha256, arguments.bundle)
        AuditKey.create(Path(folder) / "key")
        for number, inputs in enumerate(("omitted", "plain", "encrypted")):
            environ = {"LOAN_PLATFORM_HOME": folder, "LOAN_AUDIT_INPUTS": inputs, "LOAN_AUDIT_KEY": f"{folder}/key"}
            settings = AuditSettings.for_portfolio(f"book_{number}", environ)
            records = Records(f"book_{number}", settings)
            REGISTRY.unregister(REGISTRY._names_to_collectors["loan_audit_lost"])
            records.start()
            for callers in (1, 8, 32):
                told = asyncio.run(_measured(records, serving, callers))
                sys.stdout.write(f"{inputs:<10} {callers:>2} callers: {told}\n")
            records.stop()
            size = sum(path.stat().st_size for path in settings.directory.rglob("*.ndjson")) / (3 * ANSWERS)
            sys.stdout.write(f"{inputs:<10} {size:,.0f} bytes a record\n")


async def _measured(records: Records, serving: Serving, callers: int) -> str:
    row = _application(serving)
    inputs = serving.reader.inputs(row)
    answer = serving.predictor.predict_rows(serving.reader.frame([inputs]), [True])[0]
    asked, waits = Asked(SimpleNamespace(request_id="0" * 16, key_id="k"), serving, row, inputs, True), list[float]()

    async def caller(answers: int) -> None:
        for _ in range(answers):
            started = time.perf_counter()
            await records.answered([(asked, answer)])
            waits.append(time.perf_counter() - started)

    started, before = time.perf_counter(), _cpu()
    await asyncio.gather(*(caller(ANSWERS // callers) for _ in range(callers)))
    wall, cpu = time.perf_counter() - started, _cpu() - before
    cuts = statistics.quantiles([wait * 1e3 for wait in waits], n=100)
    each = f"{cpu / len(waits) * 1e6:.0f} us CPU each"
    return f"p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, {len(waits) / wall:,.0f}/s, {each}"


def _application(serving: Serving) -> dict[str, Any]:
    (row,) = serving.bundle.golden.frame(serving.bundle.model).head(1).to_dicts()
    stated = {name: value for name, value in row.items() if value is not None}
    return {name: str(value) if isinstance(value, date) else value for name, value in stated.items()}


def _cpu() -> float:
    used: Any = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
