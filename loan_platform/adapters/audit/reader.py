"""Read the audit records of a portfolio. Encrypted inputs are decrypted if the key is available."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.audit.chain_files import chains, load_chain
from loan_platform.adapters.audit.job_records import JobLine, find_row, job_faults, job_lines, job_rows
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.core.audit.hash_chain import Chain
from loan_platform.core.audit.replay import differences
from loan_platform.core.errors import ExplainedError
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.core.scoring.predictor import Predictor


class AuditRecordError(ExplainedError, LookupError):
    """An audit record is missing or cannot be replayed."""


@dataclass(frozen=True)
class StoredApplication:
    """The part of an application that an audit record holds.

    Attributes:
        inputs: model inputs by column.
        entity: key of the loan as the caller sent it.
        date: date of the application as the caller sent it.
    """

    inputs: dict[str, Any]
    entity: str | None
    date: str | None


class AuditRecords:
    """The audit records of one portfolio.

    Args:
        directory: of the chains.
        key: decrypts inputs and checks the heads of chains; None: no key.
    """

    def __init__(self, directory: Path, key: AuditKey | None) -> None:
        self._directory, self._key = directory, key

    def chains(self) -> Iterator[Chain]:
        """Every chain, checked from its first line to its last."""
        for folder in chains(self._directory):
            found = load_chain(folder, self._key)
            yield replace(found, faults=(*found.faults, *job_faults(self._directory, found)))

    def find(self, request_id: str) -> dict[str, Any]:
        """The audit record of a request.

        Args:
            request_id: of a row of /invocations `<request id>.<row>`, of a batch job `<job id>.<row>`.

        Raises:
            AuditRecordError: no valid chain has such a record.
        """
        found = [load_chain(folder, self._key) for folder in chains(self._directory)]
        for chain in found:
            for record in chain.records:
                if record["request_id"] == request_id:
                    return record
        if (record := find_row(self._directory, found, request_id)) is not None:
            return record
        raise AuditRecordError(
            f"{self._directory} has no valid audit record of request {request_id}. Check the chains with "
            "loan-platform audit verify. The id of a row of /invocations is <request id>.<row>, "
            "that of a row of a batch job <job id>.<row>."
        )

    def jobs(self, chain: Chain) -> Iterator[tuple[JobLine, pl.DataFrame]]:
        """Each batch job with valid records: its line of the chain, and its rows."""
        for line in {line["job"]: line for line in job_lines(chain)}.values():
            if (rows := job_rows(self._directory, line)) is not None:
                yield line, rows

    def stored_application(self, record: dict[str, Any]) -> StoredApplication | None:
        """The application that the record holds. None: its inputs were omitted, or there is no key.

        Args:
            record: of one answer, or of one row of a job as `job_records.row_record` gives it.

        Raises:
            AuditKeyError: the inputs were encrypted with another key.
        """
        if "plain" in record:
            value = record["plain"]
        elif "encrypted" in record and self._key is not None:
            value = self._key.decrypt(record["encrypted"], record["request_id"])
        else:
            return None
        return StoredApplication(value["inputs"], value["entity"], value["date"])

    def replay(self, record: dict[str, Any], bundles: list[Path]) -> dict[str, tuple[Any, Any]]:
        """Score the recorded application again with the recorded model.

        Args:
            record: with inputs.
            bundles: folders where the model's bundle may be; the first that exists is used.

        Returns:
            Recorded and present value of each field that differs in any bit.

        Raises:
            AuditRecordError: the inputs or the model are not available.
            BundleError: the bundle is not the one that the record names.
        """
        stored = self.stored_application(record)
        if stored is None:
            raise AuditRecordError(
                f"The inputs of request {record['request_id']} were not recorded, or the key for them is missing. "
                "Set LOAN_AUDIT_KEY if you have the key."
            )
        bundle = next((path for path in bundles if path.is_dir()), None)
        if bundle is None:
            places = " and ".join(str(path) for path in bundles)
            raise AuditRecordError(
                f"Model {record['model_sha256']} is missing: looked for {places}. Restore its bundle there."
            )
        model = load_bundle(bundle, expected_sha256=record["model_sha256"], threads=1).model
        return differences(Predictor(model), record, stored.inputs)
