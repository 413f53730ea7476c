"""The whole graph of a book, as a picture in text: a change of it is seen in review."""

from pathlib import Path

import dagster as dg
import pytest

from loan_platform.definitions import defs

SNAPSHOT = Path(__file__).with_name("graph_snapshot.txt")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return defs()


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions) -> list[dg.AssetSpec]:
    return sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key)


def picture(specs: list[dg.AssetSpec]) -> str:
    lines = []
    for spec in specs:
        upstream = ", ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps)) or "-"
        partitions = type(spec.partitions_def).__name__ if spec.partitions_def else "-"
        lines.append(f"{spec.key.to_user_string()} | {upstream} | {', '.join(sorted(spec.kinds))} | {partitions}")
    return "\n".join(lines) + "\n"


def test_the_graph_is_the_one_in_the_snapshot(graph: list[dg.AssetSpec]) -> None:
    assert picture(graph) == SNAPSHOT.read_text()


def test_every_asset_says_what_it_is(graph: list[dg.AssetSpec]) -> None:
    for spec in graph:
        assert spec.owners, spec.key
        assert spec.group_name == spec.key.path[0], spec.key
        assert 1 <= len(spec.kinds) <= 3, spec.key
        assert spec.description is not None, spec.key
        assert len(spec.description) > 40, spec.key


def test_every_book_has_its_jobs_and_its_sensor(definitions: dg.Definitions) -> None:
    jobs = {job.name for job in definitions.resolve_all_job_defs()}
    sensors = {sensor.name for sensor in definitions.sensors or []}
    for book in ("lending_club", "credit_cards", "bank_customers", "retail_loans"):
        purposes = ("training", "promotion", "policy", "scoring", "monitoring", "pipeline", "service")
        assert {f"{book}_{purpose}" for purpose in purposes} <= jobs
        assert {f"{book}_retrain_on_drift", f"{book}_promote_new_version"} <= sensors


def test_linked_sources_meet_at_the_join_and_nowhere_before(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    sources = ("loans", "attributes", "financials", "clickstream")
    for source in sources:
        clean = graph.get(dg.AssetKey(["retail_loans", f"clean_{source}"]))
        assert clean.parent_keys == {dg.AssetKey(["retail_loans", f"raw_{source}"])}
    joined = graph.get(dg.AssetKey(["retail_loans", "joined_loans"]))
    assert joined.parent_keys == {dg.AssetKey(["retail_loans", f"clean_{source}"]) for source in sources}
    checks = {(key.asset_key.path[-1], key.name) for key in graph.asset_check_keys}
    assert {("joined_loans", "point_in_time"), ("joined_loans", "no_loan_lost")} <= checks
    assert {("clean_loans", "key_unique"), ("clean_attributes", "rows_reconcile")} <= checks


def test_every_rule_of_the_contract_is_a_check(definitions: dg.Definitions) -> None:
    checks = {key.name for key in definitions.resolve_asset_graph().asset_check_keys}
    assert {"rows_reconcile", "quarantine_within_policy", "loan_id_unique", "annual_inc_between"} <= checks
    assert {"no_leak", "auc_above_floor", "no_critical_drift", "no_drift_warning"} <= checks


def test_no_blocking_check_runs_after_its_asset(definitions: dg.Definitions) -> None:
    """A check with a step of its own would see rows that others may have read already."""
    made = definitions.resolve_asset_graph().assets_defs
    blocking = [(one.keys, spec) for one in made for spec in one.check_specs if spec.blocking]
    assert len(blocking) > 200
    assert [spec.key.to_user_string() for keys, spec in blocking if spec.asset_key not in keys] == []
