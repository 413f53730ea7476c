"""Cost of an audit record: latency, CPU time and size, for 1, 8 and 32 concurrent callers.

    python benchmarks/audit.py .loan_platform/lake/lending_club/trained_model/<sha256>/bundle [--folder <folder>]

Each form of recording the inputs is measured: omitted, plain and encrypted. The application is the bundle's first
golden row. Records are written below the folder, so it decides which disk is measured.
"""

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from bento.model.champion import Serving
from bento.model.records import Records, ScoringRequest
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.settings.audit import AuditSettings

ANSWERS = 4_000
CALLERS = (1, 8, 32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--folder", type=Path, help="where records are written; default: the temporary folder")
    arguments = parser.parse_args()
    serving = Serving.load(1, load_bundle(arguments.bundle).sha256, arguments.bundle)
    row = application(serving)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        AuditKey.create(Path(folder) / "key")
        for form in ("omitted", "plain", "encrypted"):
            environ = {"LOAN_PLATFORM_HOME": folder, "LOAN_AUDIT_INPUTS": form, "LOAN_AUDIT_KEY": f"{folder}/key"}
            measure(form, AuditSettings.for_portfolio(f"book_{form}", environ), serving, row)


def application(serving: Serving) -> dict[str, Any]:
    """The first golden row as a JSON application. Missing values are left out."""
    (row,) = serving.bundle.golden.frame(serving.bundle.model).head(1).to_dicts()
    values = {name: value for name, value in row.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def measure(form: str, settings: AuditSettings, serving: Serving, row: dict[str, Any]) -> None:
    """Record many answers in one form and print the figures."""
    records = Records(f"book_{form}", settings, CollectorRegistry())
    records.start()
    for callers in CALLERS:
        figures = asyncio.run(_measured(records, serving, row, callers))
        print(f"inputs {form:<10} {callers:>2} callers: {figures}")
    records.stop()
    size = sum(path.stat().st_size for path in settings.directory.rglob("*.ndjson"))
    print(f"inputs {form:<10} size: {size / (len(CALLERS) * ANSWERS):,.0f} bytes per record")


async def _measured(records: Records, serving: Serving, row: dict[str, Any], callers: int) -> str:
    inputs = serving.reader.inputs(row)
    answer = serving.predictor.predict_rows(serving.reader.frame([inputs]), [True])[0]
    asked, waits = ScoringRequest("0" * 16, "k", serving, row, inputs, True), list[float]()

    async def caller(answers: int) -> None:
        for _ in range(answers):
            started = time.perf_counter()
            await records.write([(asked, answer)])
            waits.append(time.perf_counter() - started)

    started, before = time.perf_counter(), _cpu_seconds()
    await asyncio.gather(*(caller(ANSWERS // callers) for _ in range(callers)))
    wall, cpu = time.perf_counter() - started, _cpu_seconds() - before
    cuts = statistics.quantiles([wait * 1e3 for wait in waits], n=100)
    each = f"{cpu / len(waits) * 1e6:.0f} µs CPU per record"
    return f"latency p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms; {len(waits) / wall:,.0f} records/s; {each}"


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
