"""What the promotion policy decides about versions of one book, from its first refusal to the loss of its champion."""

import copy
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.ledger.entries import Champion
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.tracking import model_logging
from loan_platform.adapters.tracking.registry import Registry, RegistryError
from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.adapters.tracking.tracked_run import PARENT_TAG
from loan_platform.assets.loan_portfolio import location
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import ATTRIBUTES, CONTRACT, forget_package, write_loans, write_project
from loan_platform_tests.support.processes.homes import ready_home

NO_ANSWER = "MLflow does not answer"
QUICK = ATTRIBUTES | {"training": {"families": ["scorecard"], "trials": 1}}


@dataclass(frozen=True)
class Book:
    """One home, and a new project folder for each edit of the two files."""

    folder: Path
    patch: pytest.MonkeyPatch
    instance: dg.DagsterInstance

    @property
    def settings(self) -> PlatformSettings:
        return PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(self.folder / "home")})

    @property
    def reports(self) -> Path:
        return self.settings.reports / "car_loans"

    @property
    def registry(self) -> Registry:
        return Registry(Tracking(self.settings.tracking_uri, self.settings.mlartifacts))

    @property
    def production(self) -> int | None:
        found = self.registry.alias("car_loans", "production")
        return found.version if found else None

    def report(self, name: str) -> dict[str, Any]:
        return json.loads((self.reports / name).read_text())

    def run(
        self, edit: str, purposes: list[str], contract: dict[str, Any], attributes: dict[str, Any], **policy: str
    ) -> list[str]:
        """Run jobs of an edited book, or one asset of a job; the messages of the steps that failed."""
        self.patch.setenv("LOAN_PLATFORM_HOME", str(self.settings.home))
        project = self.folder / edit
        if not project.exists():
            write_project(project, contract, attributes)
        forget_package("small_bank")
        self.patch.setattr(sys, "path", [str(project), *sys.path])
        definitions, told = location(project / "small_bank"), []
        for purpose, _, step in (purpose.partition("/") for purpose in purposes):
            job = definitions.resolve_job_def(f"car_loans_{purpose}")
            config = {"car_loans__decision_policy": {"config": policy}} if purpose == "policy" else {}
            only = [dg.AssetKey(["car_loans", step])] if step else None
            result = job.execute_in_process({"ops": config}, self.instance, raise_on_error=False, asset_selection=only)
            failures = [e.step_failure_data for e in result.all_events if e.is_step_failure]
            told += [str(f.user_failure_data.description) for f in failures if f.user_failure_data]
        return told


def broken(*_: Any, **__: Any) -> None:
    raise RegistryError(NO_ANSWER)


def report(settings: PlatformSettings) -> dict[str, Any]:
    return json.loads((settings.reports / "car_loans" / "promotion.json").read_text())


def materialized(instance: dg.DagsterInstance, name: str) -> int:
    key = dg.AssetKey(["car_loans", name])
    return len(instance.fetch_materializations(key, limit=100).records)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    """A home with a champion, version 1."""
    folder = tmp_path_factory.mktemp("bank")
    with pytest.MonkeyPatch.context() as patch, dg.instance_for_test() as instance:
        ready_home(folder / "home")
        book = Book(folder, patch, instance)
        write_loans(book.settings.data / "car_loans" / "loans.csv", 1_000, seed=1)
        write_loans(book.settings.data / "car_loans" / "applications.csv", 50, seed=2, outcomes=False)
        assert book.run("first", ["training", "promotion", "scoring"], CONTRACT, QUICK) == []
        yield book


def test_cut_offs_reach_the_champion_without_a_training(bank: Book) -> None:
    settings, ledger = bank.settings, Ledger(bank.settings.ledger_url)
    lake = settings.lake / "car_loans" / "trained_model"
    first = ledger.champion("car_loans")
    assert first is not None
    assert first.epoch == 1  # the policies that the model was trained with are in force: nothing to apply
    before = pl.read_parquet(settings.lake / "car_loans" / "predictions" / "part-0.parquet")

    strict = QUICK | {"decision": {"approve_below": 0.01, "decline_from": 0.02}}
    assert bank.run("strict", ["policy", "scoring"], CONTRACT, strict, decided_by="A. Example") == []
    second = ledger.champion("car_loans")
    assert second is not None
    assert (second.version, second.epoch) == (2, 2)
    assert [materialized(bank.instance, name) for name in ("trained_model", "registry_version", "decision_policy")] == [
        1,
        1,
        2,
    ]
    assert (lake / "latest").read_text().strip() == first.model_sha256
    for same in ("model.json", "calibration.json", "golden.json", "reference.json", "contract.json"):
        files = [lake / sha256 / "bundle" / same for sha256 in (first.model_sha256, second.model_sha256)]
        assert files[0].read_bytes() == files[1].read_bytes()

    # The record says who, what, and the decisions on the test loans.
    row = ledger.history()[-1]
    assert (row.action, row.actor, row.previous_version) == ("promoted", "A. Example", 1)
    found = json.loads(row.verdict)["policy"]
    assert found == json.loads((settings.reports / "car_loans" / "policy.json").read_text())
    assert found["changed"][0].endswith("now 0.01 and 0.02)")
    effect = found["effect"]
    assert effect["loans"] == 250
    for side in ("before", "after"):
        assert sum(decided["loans"] for decided in effect[side].values()) == 250
    assert effect["after"]["decline"]["loans"] > effect["before"]["decline"]["loans"]
    assert sum(effect["moved"].values()) > 0

    # MLflow and the reports follow. A policy version is no challenger, and the newest model keeps its own card.
    versions = [bank.registry.version("car_loans", number) for number in (1, 2)]
    assert [version.aliases for version in versions] == [("staging",), ("production",)]
    assert versions[1].tags["verdict"] == found["summary"]
    runs = [bank.registry.tracking.client().get_run(str(version.run_id)) for version in versions]
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED"]
    assert runs[1].data.tags[PARENT_TAG] == runs[0].info.run_id
    champion_card, newest_card = ((bank.reports / name).read_text() for name in ("champion_card.md", "model_card.md"))
    assert second.model_sha256 in champion_card
    assert first.model_sha256 in newest_card
    assert champion_card == (bank.reports / "model_card" / f"{second.model_sha256}.md").read_text()

    # Batch scoring follows; every answer stays as decided.
    after = pl.read_parquet(settings.lake / "car_loans" / "predictions" / "part-0.parquet")
    assert after["probability"].to_list() == before["probability"].to_list()
    assert (before["decision"] == "decline").sum() < (after["decision"] == "decline").sum()
    history = pl.read_parquet(settings.lake / "car_loans" / "answer_history" / "part-0.parquet")
    assert set(history["model_version"]) == {1, 2}

    # The newest training is the champion's model, so a promotion does not bring its older cut-offs back.
    assert bank.run("strict", ["promotion", "policy"], CONTRACT, strict) == []
    assert report(settings)["kind"] == "same_bytes"
    assert ledger.champion("car_loans") == second

    # The policies of the training again are version 1 again.
    assert bank.run("back", ["policy"], CONTRACT, QUICK) == []
    last = ledger.champion("car_loans")
    assert last is not None
    assert (last.version, last.model_sha256, last.epoch) == (1, first.model_sha256, 3)
    assert ledger.verify() == ledger.history()[-1].hash


def test_a_policy_change_that_fails_leaves_no_trace(bank: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, registry = Ledger(bank.settings.ledger_url), bank.registry
    loose = QUICK | {"decision": {"approve_below": 0.3, "decline_from": 0.6}}
    assert bank.run("first", ["policy"], CONTRACT, QUICK) == []
    first = ledger.champion("car_loans")
    assert first is not None
    trained = registry.version("car_loans", first.version)
    policies = bank.reports / "policy.json"
    told, rows = policies.read_text() if policies.is_file() else None, len(ledger.history())

    # MLflow fails while the version is logged: the run of the training stays as it was.
    with monkeypatch.context() as patch:
        patch.setattr(model_logging, "log_bundle", broken)
        assert bank.run("loose", ["policy"], CONTRACT, loose) == [NO_ANSWER]
    assert registry.tracking.client().get_run(str(trained.run_id)).info.status == "FINISHED"

    # Another run withdraws the champion while its policies change: it does not come back with other cut-offs.
    promote = Ledger.promote

    def overtaken(self: Ledger, *given: Any, **more: Any) -> Champion:
        assert self.withdraw(first, actor="contract", run_id="other", reason="it reads debt.")
        return promote(self, *given, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "promote", overtaken)
        (stale,) = bank.run("loose", ["policy"], CONTRACT, loose)
    assert stale.endswith(f"champion is none, epoch {first.epoch + 1}. Materialize decision_policy again.")
    assert [row.action for row in ledger.history()][rows:] == ["withdrawn"]
    assert (policies.read_text() if policies.is_file() else None) == told

    # Another run copies what the ledger says: nothing names the withdrawn version any more.
    assert bank.run("loose", ["training/allowed_champion"], CONTRACT, loose) == []
    assert registry.alias("car_loans", "production") is None
    assert not (bank.reports / "champion_card.md").exists()
    assert bank.report("promotion.json")["withdrawn"] == "version 1 was withdrawn: it reads debt."
    assert registry.version("car_loans", first.version).aliases == ("staging",)


def test_what_an_interruption_leaves_is_completed(bank: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, registry = Ledger(bank.settings.ledger_url), bank.registry
    tight = QUICK | {"decision": {"approve_below": 0.02, "decline_from": 0.05}}
    assert bank.run("first", ["promotion"], CONTRACT, QUICK) == []
    first = ledger.champion("car_loans")
    assert first is not None
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "reconcile", broken)
        assert bank.run("tight", ["policy"], CONTRACT, tight, decided_by="B. Example") == [NO_ANSWER]
    second = ledger.champion("car_loans")
    assert second is not None
    assert second.epoch == first.epoch + 1
    assert bank.production == first.version
    assert bank.run("tight", ["policy"], CONTRACT, tight) == []
    assert ledger.champion("car_loans") == second
    assert bank.production == second.version
    why = json.loads(ledger.history()[-1].verdict)["summary"]
    assert registry.version("car_loans", second.version).tags["verdict"] == why == bank.report("policy.json")["summary"]

    # The champion's bundle is lost. It stays, and the next version is decided on without it.
    (bank.settings.lake / "car_loans" / "trained_model" / second.model_sha256).unlink()  # a link to its folder
    assert bank.run("tight", ["training/allowed_champion"], CONTRACT, tight) == []
    assert ledger.champion("car_loans") == second
    (lost,) = bank.run("tight", ["policy"], CONTRACT, tight)
    assert lost == f"Model {second.model_sha256[:12]} is not in the lake. Train and promote again."
    assert bank.run("tight", ["promotion"], CONTRACT, tight) == []
    assert bank.report("promotion.json")["reasons"][-1]["rule"] == "no_comparison"
    last = ledger.champion("car_loans")
    assert last is not None
    assert (last.version, last.model_sha256, last.epoch) == (second.version, second.model_sha256, second.epoch + 2)
    assert ledger.verify() == ledger.history()[-1].hash


@pytest.mark.thorough
def test_each_decision_has_its_record_and_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path / "home"))
    settings = PlatformSettings.from_environment()
    write_loans(settings.data / "car_loans" / "loans.csv", 1_500, seed=1)
    write_loans(settings.data / "car_loans" / "applications.csv", 50, seed=2, outcomes=False)
    ledger, strict = Ledger(settings.ledger_url), ATTRIBUTES["promotion"] | {"max_rate_factor": 1.01}
    with dg.instance_for_test() as instance:
        book = Book(tmp_path, monkeypatch, instance)

        # A first version that is refused says so wherever a champion is missing.
        refusing = QUICK | {"promotion": strict}
        assert book.run("strict", ["training", "promotion"], CONTRACT, refusing) == []
        assert report(settings)["promote"] is False
        (missing,) = book.run("strict", ["scoring"], CONTRACT, refusing)
        assert missing.startswith("car_loans has no champion: version 1: Rejected, 1 of 9 rules failed: Up to 1.")
        assert book.run("relaxed", ["promotion"], CONTRACT, QUICK) == []
        assert [(row.action, row.epoch) for row in ledger.history()] == [("rejected", 0), ("promoted", 1)]

        # Other cut-offs are in force without a better AUC, and with a record of their own.
        by_hand = QUICK | {
            "decision": {"approve_below": 0.1, "decline_from": 0.3},
            "promotion": ATTRIBUTES["promotion"] | {"min_auc_gain": 0.0},
        }
        assert book.run("cut_offs", ["training", "promotion"], CONTRACT, by_hand) == []
        found = report(settings)
        assert (found["kind"], found["promote"]) == ("policy", True)
        assert "now 0.1 and 0.3) changed." in found["summary"]
        assert "on each of the 375 test loans" in found["summary"]
        champion = ledger.champion("car_loans")
        assert champion is not None
        assert (champion.version, champion.epoch) == (2, 2)

        # The same probabilities and the same answers are nothing new.
        other_bytes = by_hand | {"drift": {"warning": 0.15}}
        assert book.run("again", ["training", "promotion"], CONTRACT, other_bytes) == []
        assert report(settings)["kind"] == "no_change"
        assert ledger.history()[-1].action == "rejected"
        assert ledger.champion("car_loans") == champion

        # A leak is repaired in the contract: the champion goes, the next version has absolute rules alone.
        repaired = copy.deepcopy(CONTRACT)
        debt = next(column for column in repaired["columns"] if column["name"] == "debt")
        debt["available_at"] = "after_origination"
        repaired["features"] = [f for f in repaired["features"] if f["name"] != "debt_to_salary"]
        why = "debt, which the contract now says is known after the decision only."
        (stopped,) = book.run("repaired", ["scoring"], repaired, by_hand)
        assert stopped.startswith(f"car_loans has no champion: version 2: Withdrawn: the champion reads {why}")
        assert book.run("repaired", ["promotion"], repaired, by_hand) == []  # the newest model has the leak too
        found = report(settings)
        assert found["withdrawn"] == f"version 2 was withdrawn: the champion reads {why}"
        assert found["summary"] == f"Rejected, 1 of 1 rules failed: the version reads {why}"
        assert ledger.champion("car_loans") is None
        assert book.run("repaired", ["training", "promotion", "scoring"], repaired, by_hand) == []
        assert report(settings)["summary"] == "Promoted: all 9 rules passed."
        last = ledger.history()[-3:]
        assert [(row.action, row.version, row.epoch) for row in last] == [
            ("withdrawn", 2, 3),
            ("rejected", 3, 3),
            ("promoted", 4, 4),
        ]
        assert json.loads(last[0].verdict)["summary"] == f"Withdrawn: the champion reads {why}"
        assert ledger.verify() == last[2].hash
