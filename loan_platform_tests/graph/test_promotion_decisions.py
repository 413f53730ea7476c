"""What the promotion policy decides about versions of one book, from its first refusal to the loss of its champion."""

import copy
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.assets.loan_portfolio import location
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.books import ATTRIBUTES, CONTRACT, write_loans, write_project

QUICK = ATTRIBUTES | {"training": {"families": ["scorecard"], "trials": 1}}


@dataclass(frozen=True)
class Book:
    """One home, and a new project folder for each edit of the two files."""

    folder: Path
    patch: pytest.MonkeyPatch
    instance: dg.DagsterInstance

    def run(
        self, edit: str, purposes: list[str], contract: dict[str, Any], attributes: dict[str, Any], **policy: str
    ) -> list[str]:
        """Run jobs of an edited book; the messages of the steps that failed."""
        project = self.folder / edit
        if not project.exists():
            self.patch.setattr(sys, "path", [str(write_project(project, contract, attributes)), *sys.path])
        definitions, told = location(project / "small_bank"), []
        for purpose in purposes:
            job = definitions.resolve_job_def(f"car_loans_{purpose}")
            config = {"car_loans__decision_policy": {"config": policy}} if purpose == "policy" else {}
            result = job.execute_in_process({"ops": config}, self.instance, raise_on_error=False)
            failures = [e.step_failure_data for e in result.all_events if e.is_step_failure]
            told += [str(f.user_failure_data.description) for f in failures if f.user_failure_data]
        return told


def report(settings: PlatformSettings) -> dict[str, Any]:
    return json.loads((settings.reports / "car_loans" / "promotion.json").read_text())


def materialized(instance: dg.DagsterInstance, name: str) -> int:
    key = dg.AssetKey(["car_loans", name])
    return len(instance.fetch_materializations(key, limit=100).records)


def test_cut_offs_reach_the_champion_without_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path / "home"))
    settings = PlatformSettings.from_environment()
    write_loans(settings.data / "car_loans" / "loans.csv", 1_000, seed=1)
    write_loans(settings.data / "car_loans" / "applications.csv", 50, seed=2, outcomes=False)
    ledger, lake = Ledger(settings.ledger_url), settings.lake / "car_loans" / "trained_model"
    with dg.DagsterInstance.ephemeral() as instance:
        book = Book(tmp_path, monkeypatch, instance)
        assert book.run("first", ["training", "promotion", "scoring"], CONTRACT, QUICK) == []
        first = ledger.champion("car_loans")
        assert first is not None
        assert first.epoch == 1  # the policies that the model was trained with are in force: nothing to apply
        before = pl.read_parquet(settings.lake / "car_loans" / "predictions" / "part-0.parquet")

        strict = QUICK | {"decision": {"approve_below": 0.01, "decline_from": 0.02}}
        assert book.run("strict", ["policy", "scoring"], CONTRACT, strict, decided_by="A. Example") == []
        second = ledger.champion("car_loans")
        assert second is not None
        assert (second.version, second.epoch) == (2, 2)
        assert [materialized(instance, name) for name in ("trained_model", "registry_version", "decision_policy")] == [
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

        # Batch scoring follows; every answer stays as decided.
        after = pl.read_parquet(settings.lake / "car_loans" / "predictions" / "part-0.parquet")
        assert after["probability"].to_list() == before["probability"].to_list()
        assert (before["decision"] == "decline").sum() < (after["decision"] == "decline").sum()
        history = pl.read_parquet(settings.lake / "car_loans" / "answer_history" / "part-0.parquet")
        assert set(history["model_version"]) == {1, 2}

        # The newest training is the champion's model, so a promotion does not bring its older cut-offs back.
        assert book.run("strict", ["promotion", "policy"], CONTRACT, strict) == []
        assert report(settings)["kind"] == "same_bytes"
        assert ledger.champion("car_loans") == second

        # The policies of the training again are version 1 again.
        assert book.run("back", ["policy"], CONTRACT, QUICK) == []
        last = ledger.champion("car_loans")
        assert last is not None
        assert (last.version, last.model_sha256, last.epoch) == (1, first.model_sha256, 3)
        assert ledger.verify() == ledger.history()[-1].hash


@pytest.mark.thorough
def test_each_decision_has_its_record_and_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path / "home"))
    settings = PlatformSettings.from_environment()
    write_loans(settings.data / "car_loans" / "loans.csv", 1_500, seed=1)
    write_loans(settings.data / "car_loans" / "applications.csv", 50, seed=2, outcomes=False)
    ledger, strict = Ledger(settings.ledger_url), ATTRIBUTES["promotion"] | {"max_rate_factor": 1.01}
    with dg.DagsterInstance.ephemeral() as instance:
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
            ("withdrawn", 2, 2),
            ("rejected", 3, 2),
            ("promoted", 4, 3),
        ]
        assert json.loads(last[0].verdict)["summary"] == f"Withdrawn: the champion reads {why}"
        assert ledger.verify() == last[2].hash
