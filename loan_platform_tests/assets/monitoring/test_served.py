"""What the service answered comes back into the graph: as a table, into drift and into performance."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from prometheus_client import CollectorRegistry

from bento.batch.jobs import Job
from bento.batch.records import JobRecords
from bento.model.champion import Serving
from bento.model.records import Records, ScoringRequest
from loan_platform.adapters.audit.chain_files import chains, segments
from loan_platform.adapters.audit.keys import AuditKey
from loan_platform.adapters.audit.reader import AuditRecords
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.storage.lake import Lake
from loan_platform.adapters.storage.report_files import ReportFiles
from loan_platform.assets.loan_portfolio import book_definitions
from loan_platform.assets.monitoring.loan_kinds import KIND, LoanKinds
from loan_platform.assets.monitoring.past_predictions import PastPredictions
from loan_platform.assets.resources.configured import platform_resources
from loan_platform.core.applications.frame_reader import ReadRows
from loan_platform.core.audit.replay import differences
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.scoring.decisions import DECISIONS
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import car_loans
from loan_platform_tests.support.bundles import every_type, make_bundle, typed_rows
from loan_platform_tests.support.evaluations import evaluation
from loan_platform_tests.support.processes.homes import ready_home
from loan_platform_tests.support.service.running import BOOK, Home, bodies

DEVELOPMENT = pl.concat([typed_rows(seed) for seed in range(0, 400, 40)])
ASKED = bodies(pl.concat([typed_rows(seed) for seed in range(0, 1_000, 40)]))  # 1,000 applications
SERVED = ("served_predictions", "quarantined_records", "served_drift_report")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    home = Home(tmp_path)
    home.promote(0.1, make=lambda folder, slope: make_bundle(folder, slope, DEVELOPMENT))
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(ready_home(tmp_path)))
    monkeypatch.setenv("LOAN_AUDIT_INPUTS", "encrypted")
    AuditKey.create(AuditSettings.for_portfolio(BOOK).key)
    return home


def book() -> Portfolio:
    applications = car_loans().sources["applications"]
    sources = {**car_loans().sources, "outcomes": applications}
    partitions = car_loans().partitions.model_copy(update={"every": "none"})
    split = car_loans().split.model_copy(update={"kind": "out_of_time", "mature_by": "term"})
    changed = {"name": BOOK, "contract": every_type(), "sources": sources, "partitions": partitions, "split": split}
    return car_loans().model_copy(update=changed)


def answer(home: Home, rows: list[dict[str, Any]], entities: str = "L") -> Serving:
    """Let the service's own parts answer and record applications."""
    ((_, sha256),) = [(path, path.name) for path in home.settings.models.iterdir()]
    serving = Serving.load(1, sha256, home.settings.models / sha256 / "bundle")
    records = Records(BOOK, AuditSettings.for_portfolio(BOOK), CollectorRegistry())
    records.start()

    async def all_of_them() -> None:
        for number, row in enumerate(rows):
            inputs = serving.reader.inputs(row)
            explain = number % 2 == 0
            said = serving.predictor.predict_rows(serving.reader.frame([inputs]), [explain])[0]
            stated = {**row, "loan_id": f"{entities}{number}"}
            request = ScoringRequest(secrets.token_hex(8), "k", serving, stated, inputs, explain)
            waiting.append(asyncio.create_task(records.write([(request, said)])))
            if number % 32 == 0:
                await asyncio.gather(*waiting)
        await asyncio.gather(*waiting)

    waiting: list[asyncio.Task[None]] = []
    asyncio.run(all_of_them())
    records.stop()
    return serving


def materialize(*names: str) -> dg.ExecuteInProcessResult:
    resources = platform_resources(PlatformSettings.from_environment())
    defs = dg.Definitions.merge(book_definitions(book()), dg.Definitions(resources=resources))
    keys = dg.AssetSelection.assets(*(dg.AssetKey([BOOK, name]) for name in names))
    job = dg.define_asset_job("now", keys)
    together = dg.Definitions.merge(defs, dg.Definitions(jobs=[job], executor=dg.in_process_executor))
    return together.resolve_job_def("now").execute_in_process()


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def audit_records() -> AuditRecords:
    settings = AuditSettings.for_portfolio(BOOK)
    return AuditRecords(settings.directory, AuditKey.read(settings.key))


def read(home: Home, name: str) -> pl.DataFrame:
    return Lake(home.root / "lake").read(BOOK, name)


def test_a_thousand_records_replay_to_the_bit_into_a_table(home: Home) -> None:
    serving = answer(home, ASKED)
    result = materialize(*SERVED)
    table = read(home, "served_predictions").sort(pl.col("loan_id").str.slice(1).cast(pl.Int64))
    frame = serving.reader.frame([serving.reader.inputs(row) for row in ASKED])
    expected = serving.predictor.predict_frame(frame)
    same = ("probability", "score", "decision", "risk", "expected_loss")
    assert table.select(same).cast(pl.String).equals(expected.select(same).cast(pl.String))
    assert table["inputs"].null_count() == 0
    assert read(home, "quarantined_records").is_empty()
    assert checks(result) == {"audit_chain": True, "no_critical_served_drift": True}
    records, predictor = audit_records(), Predictor(serving.bundle.model)
    ((chain,),) = [list(records.chains())]
    stored = [records.stored_application(record) for record in chain.records]
    assert len(chain.records) == 1_000
    assert [differences(predictor, r, s.inputs) for r, s in zip(chain.records, stored, strict=True) if s] == [
        {}
    ] * 1_000


def answer_as_a_job(home: Home, rows: list[dict[str, Any]]) -> None:
    """Let the service's own parts record a batch job, twice, as around a kill."""
    ((_, sha256),) = [(path, path.name) for path in home.settings.models.iterdir()]
    serving = Serving.load(1, sha256, home.settings.models / sha256 / "bundle")
    frame = serving.reader.frame([serving.reader.inputs(row) for row in rows])
    numbers, keys = pl.Series("row", range(1, len(rows) + 1)), pl.Series("key", [f"J{i}" for i in range(len(rows))])
    read = ReadRows(numbers, keys, frame, pl.DataFrame())
    records = JobRecords(BOOK, AuditSettings.for_portfolio(BOOK))
    job = Job("0" * 32, "k", "", 1, sha256, 0.0, scored=len(rows))
    table = records.rows(job, serving, read, serving.predictor.predict_frame(frame))
    for _ in range(2):
        records.write(job, serving, table.write_parquet)


def test_answers_of_batch_jobs_come_back_too(home: Home) -> None:
    answer(home, ASKED[:10])
    answer_as_a_job(home, ASKED[:500])
    result = materialize(*SERVED)
    assert checks(result) == {"audit_chain": True, "no_critical_served_drift": True}
    table = read(home, "served_predictions")
    of_job = table.filter(pl.col("loan_id").str.starts_with("J"))
    assert (table.height, of_job.height, of_job["request_id"].n_unique()) == (510, 500, 500)
    single = table.filter(pl.col("loan_id") == "L7").drop("loan_id", "time", "request_id", "key_id")
    assert of_job.filter(pl.col("loan_id") == "J7").drop("loan_id", "time", "request_id", "key_id").equals(single)


def test_drift_of_what_was_asked_is_critical_where_it_is(home: Home) -> None:
    answer(home, [{**row, "income": 90_000.0, "region": "elsewhere"} for row in ASKED[:200]])
    result = materialize(*SERVED)
    assert checks(result)["no_critical_served_drift"] is False
    (told,) = result.asset_materializations_for_node(f"{BOOK}__served_drift_report")
    metadata = {name: value.value for name, value in told.metadata.items()}
    assert (metadata["verdict"], metadata["dagster/row_count"]) == ("critical", 200)
    (report,) = (home.root / "reports" / BOOK / "drift").glob("served-*-v1.json")
    assert metadata["asks_once_for"] == report.stem
    assert json.loads(report.read_text())["rows"] == 200


def change_a_record() -> None:
    (path,) = segments(chains(AuditSettings.for_portfolio(BOOK).directory)[0])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[5] = lines[5].replace(b'"risk":"', b'"risk":"x', 1)
    path.write_bytes(b"".join(lines))


def test_a_changed_record_is_quarantined_and_not_used(home: Home) -> None:
    answer(home, ASKED[:20])
    change_a_record()
    result = materialize(*SERVED)
    assert checks(result)["audit_chain"] is False
    assert read(home, "served_predictions").height == 19
    assert read(home, "quarantined_records")["line"].to_list() == [6]


def test_a_record_that_is_changed_later_removes_no_answer(home: Home) -> None:
    answer(home, ASKED[:20])
    materialize(*SERVED[:2])
    before = read(home, "served_predictions")
    change_a_record()
    assert checks(materialize(*SERVED[:2]))["audit_chain"] is False
    after = read(home, "served_predictions")
    assert after.drop("inputs").equals(before.drop("inputs"))  # also its risk, as it was verified
    assert after["inputs"].null_count() == 1
    assert read(home, "quarantined_records")["line"].to_list() == [6]


def test_an_answer_outlives_its_record_without_its_inputs(home: Home) -> None:
    answer(home, ASKED[:20])
    materialize(*SERVED)
    before = read(home, "served_predictions")
    assert before["inputs"].null_count() == 0
    for path in segments(chains(AuditSettings.for_portfolio(BOOK).directory)[0]):
        path.unlink()
    materialize(*SERVED)
    after = read(home, "served_predictions")
    assert after["inputs"].null_count() == after.height == 20
    assert after.drop("inputs").equals(before.drop("inputs"))


def test_a_book_without_a_service_has_an_empty_table(home: Home) -> None:
    result = materialize(*SERVED)
    assert checks(result) == {"audit_chain": True, "no_critical_served_drift": True}
    assert read(home, "served_predictions").is_empty()


def test_outcomes_of_what_was_served_count_once_in_performance(home: Home) -> None:
    answer(home, ASKED[:300])
    answer(home, ASKED[:10])  # asked again: the last answer counts
    lake, batch = Lake(home.root / "lake"), [f"L{number}" for number in range(290, 320)]
    scored = {"loan_id": batch, "probability": [0.3] * 30, "model_version": [1] * 30, "content": ["x"] * 30}
    decided = pl.DataFrame(scored, schema_overrides={"model_version": pl.Int64})
    decided = decided.with_columns(pl.lit("approve", pl.Enum(DECISIONS)).alias("decision"), answer_number=1)
    later = decided.with_columns(pl.lit(0.9).alias("probability"), answer_number=2)  # decides nothing
    lake.write(pl.concat([decided, later]), BOOK, "answer_history")
    lake.write(decided.select("loan_id", "content", term=pl.lit(60)), BOOK, "applications")
    known = [f"L{number}" for number in range(280)]
    outcomes = {"loan_id": known, "target": [number % 3 == 0 for number in range(280)]}
    lake.write(pl.DataFrame(outcomes).with_columns(pl.col("target").cast(pl.Int32)), BOOK, "outcomes")
    (model,) = home.settings.models.iterdir()
    pl.DataFrame({"loan_id": ["L0"]}).write_parquet(model / "development_keys.parquet")
    reports = ReportFiles(home.root / "reports")
    reports.write(BOOK, f"evaluation/{model.name}.json", evaluation(gini=0.2))
    materialize("served_predictions", "quarantined_records", "performance_report")
    found = json.loads((home.root / "reports" / BOOK / "performance.json").read_text())
    assert (found["overall"]["scored"], found["overall"]["known"]) == (290 + 30 - 1, 279)
    assert found["in_sample_left_out"] == 1
    resources = platform_resources(PlatformSettings.from_environment())
    kinds = dict(PastPredictions(book(), resources["lake"], resources["ledger"]).frame()["kind"].value_counts().rows())
    assert set(kinds) == {"term 36", "term 60", "term missing"}
    assert kinds["term missing"] == 29  # of the 290 that only the service scored; every tenth row lacks the term
    assert kinds["term 60"] > 30

    def performance() -> dict[str, Any]:
        materialize("performance_report")
        return json.loads((home.root / "reports" / BOOK / "performance.json").read_text())

    # Past predictions are judged although the contract no longer allows their model.
    ledger = Ledger(home.settings.ledger_url)
    champion = ledger.champion(BOOK)
    assert champion is not None
    assert ledger.withdraw(champion, actor="contract", run_id="run", reason="it reads debt.")
    withdrawn = performance()
    assert (withdrawn["champion"], withdrawn["versions"]) == (None, found["versions"])
    assert withdrawn["reason"].startswith(f"no version is champion; version 1 is {found['verdict']}")
    # No application that was scored is left.
    lake.write(decided.select("loan_id", "content", term=pl.lit(60)).clear(), BOOK, "applications")
    lake.write(read(home, "served_predictions").clear(), BOOK, "served_predictions")
    nothing = performance()
    assert (nothing["verdict"], nothing["versions"]) == ("unknown", [])


def test_inputs_of_other_types_have_the_kind_of_a_missing_value() -> None:
    kinds = LoanKinds.of_book(book())
    assert kinds is not None
    inputs = ['{"term": 36, "region": [1], "opened": "no date"}', '{"term": [36]}', None, '{"term": 60}']
    served = pl.DataFrame({"loan_id": ["a", "b", "c", "d"], "inputs": inputs})
    found = kinds.of_answers(served)
    missing = kinds.of_answers(served.slice(2, 1))[KIND][0]
    assert found["loan_id"].to_list() == ["a", "b", "c", "d"]
    assert found[KIND].to_list() == ["term 36", missing, missing, "term 60"]
    assert kinds.of_answers(served.clear()).height == 0
