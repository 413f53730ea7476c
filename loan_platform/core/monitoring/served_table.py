"""The service's audit records as a table, like that of the scored batches."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import polars as pl

from loan_platform.core.scoring.answer import RECORDED_OF_REASON, RECORDED_SCHEMA

_ABOUT: dict[str, pl.DataType] = {
    "model_version": pl.Int64(),
    "model_sha256": pl.String(),
    "policy_version": pl.String(),
    "request_id": pl.String(),
    "time": pl.Datetime("us", "UTC"),
    "key_id": pl.String(),
    "inputs": pl.String(),
}


class Served(NamedTuple):
    """One audit record with the inputs that it keeps, in the clear.

    Attributes:
        record: the fields of the audit record.
        inputs: the model's inputs by column; None if they were not kept or cannot be decrypted.
        entity: the loan's key, as the caller sent it.
        date: of the application, as the caller sent it.
    """

    record: Mapping[str, Any]
    inputs: Mapping[str, Any] | None = None
    entity: str | None = None
    date: str | None = None


def served_table(rows: Iterable[Served], entity_key: str, event_date: str | None) -> pl.DataFrame:
    """Build the table, ordered by time.

    Returns:
        Key, event date, the fields of `RECORDED_SCHEMA`, model and policy version, request id, time, id of the API key,
        and the model's `inputs` as JSON (null if they were not kept).
    """
    dated: dict[str, pl.DataType] = {event_date: pl.String()} if event_date else {}
    schema: dict[str, pl.DataType] = {entity_key: pl.String(), **dated, **RECORDED_SCHEMA, **_ABOUT}
    values = [_row(row, entity_key, event_date) for row in rows]
    table = pl.from_dicts(values, schema=schema) if values else pl.DataFrame(schema=schema)
    if event_date:  # /invocations does not check a date that the model does not read
        table = table.with_columns(pl.col(event_date).str.to_date("%Y-%m-%d", strict=False))
    return merge_tables([table])


def merge_tables(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Merge tables, ordered by time. An answer that was recorded twice, around a kill, counts once."""
    return pl.concat(tables).sort("time", "request_id").unique("request_id", keep="first", maintain_order=True)


def with_known(read: pl.DataFrame, known: pl.DataFrame | None) -> pl.DataFrame:
    """Add the answers that were read before, and whose records are gone or fail verification since.

    They were verified when they were read, so nobody removes an answer by a change of the log. Their inputs are not
    kept.

    Args:
        read: the answers in the log.
        known: what an earlier call returned; None at first.
    """
    if known is None:
        return read
    gone = known.join(read, on="request_id", how="anti").with_columns(pl.lit(None, pl.String).alias("inputs"))
    absent = (pl.lit(None, kind).alias(name) for name, kind in read.schema.items() if name not in gone.columns)
    columns = (pl.col(name).cast(kind) for name, kind in read.schema.items())
    return merge_tables([gone.with_columns(*absent).select(*columns), read])


def last_answers(served: pl.DataFrame, entity_key: str) -> pl.DataFrame:
    """The last answer to each loan whose key was sent."""
    return served.filter(pl.col(entity_key).is_not_null()).unique(entity_key, keep="last", maintain_order=True)


def _row(row: Served, entity_key: str, event_date: str | None) -> dict[str, Any]:
    record = row.record
    value = {name: record[name] for name in (*RECORDED_SCHEMA, *_ABOUT) if name not in ("reasons", "time", "inputs")}
    value |= {
        entity_key: row.entity,
        "reasons": [dict(zip(RECORDED_OF_REASON, reason, strict=True)) for reason in record["reasons"]],
        "time": datetime.fromtimestamp(record["time"], UTC),
        "inputs": None if row.inputs is None else json.dumps(row.inputs, sort_keys=True),
    }
    return value | ({event_date: row.date} if event_date else {})
