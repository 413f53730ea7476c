"""`loan-platform audit`: create the key, verify the records of a book's service, replay one of them."""

import argparse
import json
import sys
from typing import Any

from loan_platform.adapters.audit.chain_files import chains, sign_head
from loan_platform.adapters.audit.job_records import job_lines
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.audit.reader import AuditRecordError, AuditRecords
from loan_platform.core.audit.hash_chain import Chain
from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.platform import PlatformSettings


def run_audit(settings: PlatformSettings, arguments: argparse.Namespace) -> int:
    """Run the action. Returns 0 on success, 1 if the log fails verification or a replay differs."""
    audit = AuditSettings.for_portfolio(arguments.book)
    if arguments.action == "create-key":
        return _create_key(settings, audit)
    key = AuditKey.read(audit.key) if audit.key.exists() else None
    records = AuditRecords(audit.directory, key)
    if arguments.action == "verify":
        return _verify(list(records.chains()), arguments)
    if not arguments.request:
        raise AuditRecordError("Name the request: loan-platform audit replay <request id>")
    return _replay(settings, audit, records, arguments)


def _create_key(settings: PlatformSettings, audit: AuditSettings) -> int:
    AuditKey.create(audit.key)
    for directory in sorted(settings.service.glob("*/audit")):
        for chain in chains(directory):
            sign_head(chain, AuditKey.read(audit.key))
    sys.stdout.write(f"{audit.key}\n")
    sys.stderr.write("Keep a copy of the key apart from the records: without it their inputs cannot be read.\n")
    return 0


def _replay(
    settings: PlatformSettings, audit: AuditSettings, records: AuditRecords, arguments: argparse.Namespace
) -> int:
    record = records.find(arguments.request)
    sha256 = record["model_sha256"]
    lake, copy = settings.lake / arguments.book / "trained_model" / sha256 / "bundle", audit.directory.parent / sha256
    differing = records.replay(record, [lake, copy])
    for name, (recorded, replayed) in differing.items():
        sys.stdout.write(f"{name}: recorded {recorded}, replayed {replayed}\n")
    if not differing:
        answer = f"version {record['model_version']}, probability {record['probability']!r}, {record['decision']}"
        sys.stdout.write(f"{record['request_id']}: replays to the same bits ({answer})\n")
    return 1 if differing else 0


def _verify(found: list[Chain], arguments: argparse.Namespace) -> int:
    problems = [str(fault) for chain in found for fault in chain.faults]
    if arguments.against:
        problems += _missing_ends(found, json.loads(arguments.against.read_text()))
    for chain in found:
        lost = sum(event.get("lost", 0) for event in chain.events)
        without = f", {lost:,} responses without a record" if lost else ""
        jobs = len(job_lines(chain))
        of_jobs = f", {jobs:,} of batch jobs" if jobs else ""
        sys.stdout.write(
            f"{chain.name}: {chain.head.n:,} lines, {len(chain.records):,} valid records{of_jobs}{without}\n"
        )
    for problem in problems:
        sys.stdout.write(f"! {problem}\n")
    if arguments.save:
        ends = {chain.name: {"n": chain.head.n, "sha256": chain.head.sha256} for chain in found}
        arguments.save.write_text(json.dumps(ends, indent=1) + "\n")
    return 1 if problems else 0


def _missing_ends(found: list[Chain], saved: dict[str, dict[str, Any]]) -> list[str]:
    """Saved hashes that are not in the chains any more."""
    hashes = {chain.name: chain.hashes for chain in found}
    return [
        f"{name}: line {end['n']} differs from the saved hash, or is missing"
        for name, end in saved.items()
        if end["n"] and hashes.get(name, {}).get(end["n"]) != end["sha256"]
    ]
