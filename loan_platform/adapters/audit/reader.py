"""The records of a portfolio, read: all chains, inputs in the clear where there is a key for them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.audit import chain_files as audit_files
from loan_platform.adapters.audit.job_records import JobLine, find_row, job_faults, job_lines, job_rows
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.core.audit.hash_chain import Chain
from loan_platform.core.audit.replay import differences
from loan_platform.core.errors import ExplainedError
from loan_platform.core.scoring.answer import Answers
from loan_platform.core.scoring.bundle import load_bundle


class NoRecordError(ExplainedError, LookupError):
    """A record is not there, or cannot be replayed."""


@dataclass(frozen=True)
class Stored:
    """What a record keeps of an application.

    Attributes:
        inputs: of the model, by column.
        entity: key of the loan, as the caller stated it.
        date: of the application, as the caller stated it.
    """

    inputs: dict[str, Any]
    entity: str | None
    date: str | None


class AuditRecords:
    """The records of one portfolio.

    Args:
        directory: of the chains.
        key: for encrypted inputs and for the ends of chains; None: there is none.
    """

    def __init__(self, directory: Path, key: AuditKey | None) -> None:
        self._directory, self._key = directory, key

    def chains(self) -> Iterator[Chain]:
        """Every chain, walked from its first line to its last."""
        for chain in audit_files.chains(self._directory):
            found = audit_files.read(chain, self._key)
            yield replace(found, faults=(*found.faults, *job_faults(self._directory, found)))

    def find(self, request_id: str) -> dict[str, Any]:
        """The record of a request; of a row of /invocations `<request id>.<row>`, of a batch job `<job id>.<row>`.

        Raises:
            NoRecordError: there is none in a chain that can be relied on.
        """
        chains = [audit_files.read(chain, self._key) for chain in audit_files.chains(self._directory)]
        for chain in chains:
            for record in chain.records:
                if record["request_id"] == request_id:
                    return record
        if (record := find_row(self._directory, chains, request_id)) is not None:
            return record
        raise NoRecordError(
            f"{self._directory} has no record of request {request_id} that can be relied on: look with "
            "loan-platform audit verify whether the chains are whole. A row of /invocations is <request id>.<row>, "
            "one of a batch job <job id>.<row>."
        )

    def jobs(self, chain: Chain) -> Iterator[tuple[JobLine, pl.DataFrame]]:
        """Of each batch job whose records stand, the line that vouches for them and the rows."""
        for line in {line["job"]: line for line in job_lines(chain)}.values():
            if (rows := job_rows(self._directory, line)) is not None:
                yield line, rows

    def stored(self, record: dict[str, Any]) -> Stored | None:
        """What the record keeps of the application; None where inputs were omitted, or there is no key.

        Args:
            record: of an answer; of a row of a job as `of_job` gives it.

        Raises:
            AuditKeyError: they were encrypted with another key.
        """
        if "plain" in record:
            return Stored(**_of(record["plain"]))
        if "encrypted" in record and self._key is not None:
            return Stored(**_of(self._key.decrypted(record["encrypted"], record["request_id"])))
        return None

    def replay(self, record: dict[str, Any], bundles: list[Path]) -> dict[str, tuple[Any, Any]]:
        """What the model that the record names says differently today; nothing where it is the same to the last bit.

        Args:
            record: with inputs.
            bundles: where the model's bundle may be.

        Raises:
            NoRecordError: its inputs or its model are not at hand.
            BundleError: the bundle is not the one that the record names.
        """
        stored = self.stored(record)
        if stored is None:
            raise NoRecordError(
                f"the inputs of request {record['request_id']} were omitted, or there is no key for them"
            )
        bundle = next((path for path in bundles if path.is_dir()), None)
        if bundle is None:
            raise NoRecordError(f"model {record['model_sha256']} is not at hand: looked for {bundles[0]}")
        model = load_bundle(bundle, expected_sha256=record["model_sha256"], threads=1).model
        return differences(Answers(model), record, stored.inputs)


def _of(value: dict[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in ("inputs", "entity", "date")}
