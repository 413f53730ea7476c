"""The retrain sensor reads every drift report once and asks for each critical one."""

from collections.abc import Iterator

import dagster as dg
import pytest

from loan_platform.assets.automation.sensors import retrain_on_drift, retrain_on_served_drift
from loan_platform_tests.support.books import car_loans

BOOK = car_loans()
REPORT = dg.AssetKey(["car_loans", "drift_report"])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as instance:
        yield instance


def report(instance: dg.DagsterInstance, verdict: str, sha: str) -> None:
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            REPORT,
            metadata={"verdict": verdict, "report_sha256": sha, "reason": f"score PSI 0.4 ({sha})"},
        )
    )


def tick(instance: dg.DagsterInstance, cursor: str | None) -> dg.SensorResult:
    sensor = retrain_on_drift(BOOK)
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_nothing_new_is_said_so(instance: dg.DagsterInstance) -> None:
    sensor = retrain_on_drift(BOOK)
    skipped = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "no new drift report"


def test_a_bad_report_followed_by_a_good_one_is_not_missed(instance: dg.DagsterInstance) -> None:
    report(instance, "critical", "a" * 64)
    report(instance, "ok", "b" * 64)
    result = tick(instance, None)
    assert [request.run_key for request in result.run_requests or []] == [f"car_loans/drift/all/{'a' * 16}"]
    tags = (result.run_requests or [])[0].tags
    assert tags["trigger"] == "drift"
    assert tags["drift_report"] == "a" * 16
    assert tags["drift_reason"].startswith("score PSI 0.4")


def test_each_critical_report_between_ticks_is_requested_once(
    instance: dg.DagsterInstance,
) -> None:
    report(instance, "critical", "a" * 64)
    report(instance, "critical", "c" * 64)
    first = tick(instance, None)
    assert len(first.run_requests or []) == 2
    sensor = retrain_on_drift(BOOK)
    again = sensor(dg.build_sensor_context(instance=instance, cursor=first.cursor))
    assert isinstance(again, dg.SkipReason)


def test_reports_without_drift_are_counted_in_the_reason(instance: dg.DagsterInstance) -> None:
    report(instance, "ok", "d" * 64)
    report(instance, "warning", "e" * 64)
    result = tick(instance, None)
    assert not result.run_requests
    assert result.skip_reason is not None
    assert result.skip_reason.skip_message == "2 new drift report(s), none critical"


def test_a_report_that_training_would_not_mend_is_told(instance: dg.DagsterInstance) -> None:
    told = {"verdict": "critical", "reason": "PSI of region 0.9", "remedy_reason": "region has new values."}
    for remedy, sha in (("map_values", "a" * 64), ("recalibrate", "b" * 64), ("refer", "c" * 64)):
        metadata = {**told, "remedy": remedy, "report_sha256": sha}
        instance.report_runless_asset_event(dg.AssetMaterialization(REPORT, metadata=metadata))
    result = tick(instance, None)
    assert [request.tags["drift_report"] for request in result.run_requests or []] == ["b" * 16]
    metadata = {**told, "remedy": "none", "report_sha256": "d" * 64}
    instance.report_runless_asset_event(dg.AssetMaterialization(REPORT, metadata=metadata))
    skipped = tick(instance, result.cursor).skip_reason
    assert skipped is not None
    expected = "1 new drift report(s), none asks for training. all: none. region has new values."
    assert skipped.skip_message == expected


def test_the_same_report_again_has_the_same_run_key(instance: dg.DagsterInstance) -> None:
    report(instance, "critical", "a" * 64)
    first = tick(instance, None)
    report(instance, "critical", "a" * 64)
    second = tick(instance, first.cursor)
    keys = [(result.run_requests or [])[0].run_key for result in (first, second)]
    assert keys[0] == keys[1]


def test_lasting_drift_of_a_served_batch_is_requested_once(instance: dg.DagsterInstance) -> None:
    sensor, key = retrain_on_served_drift(BOOK), dg.AssetKey(["car_loans", "served_drift_report"])
    for sha in ("a" * 64, "b" * 64):
        told = {"verdict": "critical", "report_sha256": sha, "reason": "more", "asks_once_for": "served-2026-11-v3"}
        instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata=told))
    result = sensor(dg.build_sensor_context(instance=instance))
    assert sensor.name == "car_loans_retrain_on_served_drift"
    assert isinstance(result, dg.SensorResult)
    keys = {request.run_key for request in result.run_requests or []}
    assert keys == {"car_loans/drift/all/served-2026-11-v3"}
