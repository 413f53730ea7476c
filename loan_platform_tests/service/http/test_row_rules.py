"""The same unsound row is refused with the same code: in a file, over HTTP, in MLflow's protocol and in a batch job."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from bento.app import ServiceApp
from bento.batch.input import CSV, JSON, InputLimits, Pieces
from bento.batch.raw_columns import RawColumns
from loan_platform.core.applications.examples import ExampleApplications
from loan_platform.core.applications.frame_reader import FrameReader
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform_tests.support.ingest import Ingested, ingest
from loan_platform_tests.support.service.club import (
    APPLICATION,
    BREAKS,
    club_contract,
    club_model,
    make_club_bundle,
)
from loan_platform_tests.support.service.in_process import worker_app

CONTRACT = club_contract()
Values = dict[str, Any]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceApp]:
    with worker_app(tmp_path_factory.mktemp("app"), bundle=make_club_bundle) as app:
        yield app


def post(app: ServiceApp, path: str, *bodies: Values) -> list[httpx.Response]:
    """The answers to bodies that are sent at the same time."""

    async def sent() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await asyncio.gather(*(client.post(path, json=body) for body in bodies))

    return asyncio.run(sent())


def reads(rule: str) -> list[str]:
    """Columns of a rule, in the order of the contract."""
    (found,) = [r for r in CONTRACT.row_rules if r.name == rule]
    return [column.name for column in CONTRACT.columns if column.name in found.columns]


def expected(rule: str, where: str = "") -> list[dict[str, str]]:
    (found,) = [r for r in CONTRACT.row_rules if r.name == rule]
    detail = f"breaks the rule {rule}: {found.message}"
    return [{"field": where + name, "code": "row_rule", "detail": detail, "rule": rule} for name in reads(rule)]


def csv_file(path: Path, rows: Sequence[Values]) -> Path:
    pl.DataFrame(rows, infer_schema_length=None).write_csv(path)
    return path


def test_every_critical_rule_has_a_row_that_breaks_it() -> None:
    assert set(BREAKS) == {rule.name for rule in CONTRACT.critical_rules}


@pytest.mark.parametrize("rule", BREAKS)
def test_one_application_is_refused_with_the_fields_of_the_rule(app: ServiceApp, rule: str) -> None:
    for path in ("/predict", "/api/v1/predict"):
        sound, broken = post(app, path, APPLICATION, {**APPLICATION, **BREAKS[rule]})
        assert sound.status_code == 200, sound.text
        assert (broken.status_code, broken.json()["code"]) == (422, "invalid_application")
        assert broken.json()["errors"] == expected(rule)


@pytest.mark.parametrize("rule", BREAKS)
def test_rows_of_mlflows_protocol_are_refused_alike(rule: str, tmp_path: Path) -> None:
    rows = [APPLICATION, {**APPLICATION, **BREAKS[rule]}]
    with worker_app(tmp_path, bundle=make_club_bundle) as app:
        (answer,) = post(app, "/invocations", {"dataframe_records": rows})
    assert answer.status_code == 422
    assert answer.json()["errors"] == expected(rule, "rows[1].")
    assert [path for path in tmp_path.rglob("*.jsonl") if path.stat().st_size] == []  # no row was answered


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    """A file with a sound row, and for each rule a row that breaks it before a sound one of the same key."""
    folder = tmp_path_factory.mktemp("staged")
    pairs = [
        ({"id": rule, **APPLICATION, **broken}, {"id": rule, **APPLICATION, "annual_inc": 0})
        for rule, broken in BREAKS.items()
    ]
    rows = [{"id": "a", **APPLICATION}, *chain.from_iterable(pairs)]
    return ingest([csv_file(folder / "in.csv", rows)], folder / "out", CONTRACT)


@pytest.mark.parametrize("rule", BREAKS)
def test_rows_of_a_file_are_quarantined_alike(rule: str, staged: Ingested) -> None:
    line = 3 + 2 * list(BREAKS).index(rule)
    quarantined = staged.quarantined.filter(pl.col("source_line") == line)
    told = quarantined.select("column", "reason").rows()
    assert told == [(" and ".join(reads(rule)), "row_rule")]
    (found,) = [r for r in CONTRACT.row_rules if r.name == rule]
    assert quarantined["message"].item() == f"{rule}: {found.message}"
    # The broken row does not outrank the sound one of its key.
    assert staged.accepted.filter(pl.col("loan_id") == rule)["annual_inc"].to_list() == [0]


def test_no_other_row_of_the_file_is_quarantined(staged: Ingested) -> None:
    assert staged.accepted["loan_id"].to_list() == ["a", *BREAKS]
    assert [line for line, *_ in staged.reasons] == [3 + 2 * number for number in range(len(BREAKS))]
    assert staged.staged.by_reason == {"row_rule": len(BREAKS)}


@pytest.mark.parametrize(("media", "columns"), [(JSON, None), (CSV, None), (CSV, "raw")])
def test_rows_of_a_batch_job_are_refused_alike(media: str, columns: str | None, tmp_path: Path) -> None:
    rows = [APPLICATION, *({**APPLICATION, **changed} for changed in BREAKS.values()), APPLICATION]
    if columns == "raw":
        rows = [{"id": f"L{number}", **row} for number, row in enumerate(rows)]
    if media == CSV:
        csv_file(tmp_path / "input", rows)
    else:
        (tmp_path / "input").write_text("\n".join(map(json.dumps, rows)))
    model = club_model()
    reader = ApplicationReader(model)
    pieces = Pieces(
        tmp_path, media, FrameReader(reader), InputLimits(1_000_000, 1_000), RawColumns(model.contract, reader), columns
    )
    for _ in pieces.split():
        pass
    read = pieces.read(0)
    assert read.rows.to_list() == [1, len(rows)]
    assert read.frame.height == len(read.keys) == 2
    told = [(row, e["field"], e["code"], e["detail"]) for row, r in enumerate(BREAKS, start=2) for e in expected(r)]
    assert read.rejected.rows() == told


def test_a_broken_row_does_not_stop_those_beside_it(app: ServiceApp) -> None:
    bad = {**APPLICATION, "open_acc": 30}
    answers = post(app, "/predict", *[APPLICATION, bad] * 8)
    assert [answer.status_code for answer in answers] == [200, 422] * 8
    assert len({answer.json()["probability"] for answer in answers[::2]}) == 1


def test_several_broken_rules_are_told_at_once(app: ServiceApp) -> None:
    (answer,) = post(app, "/predict", {**APPLICATION, "open_acc": 30, "fico_range_low": 800})
    assert [error["rule"] for error in answer.json()["errors"]] == ["fico_range_in_order"] * 2 + [
        "open_accounts_among_all"
    ] * 2
    assert answer.json()["detail"] == "4 fields are invalid."


def test_a_warning_refuses_no_application(app: ServiceApp) -> None:
    poor, joint = {**APPLICATION, "annual_inc": 0}, {**APPLICATION, "annual_inc_joint": 1000}
    assert [answer.status_code for answer in post(app, "/predict", poor, joint)] == [200, 200]


def test_a_warning_is_counted_in_a_file(tmp_path: Path) -> None:
    rows = [{"id": "a", **APPLICATION, "annual_inc": 0}, {"id": "b", **APPLICATION}]
    staged = ingest([csv_file(tmp_path / "in.csv", rows)], tmp_path / "out", CONTRACT).staged
    assert staged.accepted == 2
    assert {name: count for name, count in staged.rule_warnings.items() if count} == {"income_above_zero": 1}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"annual_inc": -5}, "out_of_range"),
        ({"annual_inc": None}, "required"),
        ({"fico_range_low": 900}, "out_of_range"),
    ],
)
def test_invocations_refuse_what_predict_refuses(app: ServiceApp, change: Values, code: str) -> None:
    row, (name,) = {**APPLICATION, **change}, change
    (one,) = post(app, "/predict", row)
    (many,) = post(app, "/invocations", {"dataframe_records": [APPLICATION, row]})
    assert one.json()["errors"][0]["code"] == many.json()["errors"][0]["code"] == code
    assert [error["field"] for error in many.json()["errors"]] == [f"rows[1].{name}"]


def test_example_applications_keep_the_rules() -> None:
    model = club_model()
    reader = ApplicationReader(model)
    examples = ExampleApplications(model, reader, {})
    for values in (examples.ordinary, *examples.by_risk.values()):
        assert reader.read(values).height == 1
