"""The service follows the champion: swaps under load, refusals, a registry that is gone, a start without one."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from loan_platform.adapters.storage.model_store import StoredModel
from loan_platform.core.scoring.bundle import write_policy_bundle
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.bundles import typed_rows
from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.service.in_thread import answering
from loan_platform_tests.support.service.running import BOOK, Home, bodies, serving
from loan_platform_tests.support.waiting import until

pytestmark = pytest.mark.slow

ROW = typed_rows().head(1)
BODY = bodies(ROW)[0]


def probability(model: ScoringModel) -> float:
    return model.score(ROW)["probability"].item()


def asked_until(client: httpx.Client, done: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Answers, one after the other, until one is as wanted; none may fail."""
    found: list[dict[str, Any]] = []

    def asked() -> bool:
        answer = client.post("/api/v1/predict", json=BODY)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["data"])
        return done(found[-1])

    until(asked)
    return found


def warnings(home: Home) -> list[str]:
    return [line["message"] for line in home.log_lines() if line.get("level") == "WARNING"]


def test_a_promotion_is_seen_and_a_damaged_model_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with serving(home, LOAN_ENV="development") as client:
        waiting = client.get("/readyz")
        assert (waiting.status_code, waiting.headers["retry-after"]) == (503, "5")
        assert "tiny_loans has no champion" in waiting.json()["detail"]
        assert client.post("/predict", json=BODY).status_code == 503

        first, version = home.promote(slope=0.1)
        until(lambda: client.get("/readyz").status_code == 200)
        by_version = {version: probability(first)}

        second, version = home.promote(slope=0.3)
        by_version[version] = probability(second)
        answers = asked_until(client, lambda data: data["model_version"] == 2)
        assert len(set(by_version.values())) == 2
        assert all(data["probability"] == by_version[data["model_version"]] for data in answers)

        home.promote(slope=0.5, damage=True)
        until(lambda: client.get("/api/v1/model/info").json()["refusals"])
        info = client.get("/api/v1/model/info").json()
        assert (info["version"], info["refusals"]) == (2, 1)
        assert "version 3" in info["last_refusal"]
        assert "model.json: its bytes are not those that the manifest lists" in info["last_refusal"]

        home.promote(slope=0.1)  # back to the first model
        answers = asked_until(client, lambda data: data["model_version"] == 4)
        assert answers[-1]["probability"] == by_version[1]
        assert client.get("/api/v1/model/info").json()["last_refusal"] is None


def test_new_cut_offs_are_swapped_in_with_the_same_model(tmp_path: Path) -> None:
    home = Home(tmp_path)
    model, _ = home.promote(slope=0.1)
    with answering(home) as client:
        before = asked_until(client, lambda data: data["model_version"] == 1)[-1]
        trained = StoredModel(next(path.parent for path in home.settings.models.glob("*/bundle")))
        strict = model.policy.decision.model_copy(update={"approve_below": 0.0, "decline_from": 0.0})
        policy = model.policy.model_copy(update={"decision": strict})
        draft = tmp_path / "policy"
        sha256 = write_policy_bundle(draft, trained.path / "bundle", trained.bundle(), policy)
        home.promote(slope=0.1, make=lambda *_: (model, sha256), draft=draft)
        after = asked_until(client, lambda data: data["model_version"] == 2)[-1]
        assert after["probability"] == before["probability"]
        assert after["decision"] == "decline"
        assert (before["policy_version"], after["policy_version"]) == (model.policy.version, policy.version)
        info = client.get("/api/v1/model/info").json()
        assert (info["version"], info["policy_version"]) == (2, policy.version)
        assert info["decision_policy"]["decision"]["decline_from"] == 0.0
    files = [home.settings.models / name / "bundle" / "model.json" for name in (trained.sha256, sha256)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_without_the_registry_the_copy_at_hand_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = Home(tmp_path)
    model, _ = home.promote(slope=0.1)
    with serving(home, LOAN_ENV="development") as client:
        assert client.post("/predict", json=BODY).json() == {"probability": probability(model)}
        before = len(warnings(home))
        shutil.rmtree(home.settings.models)
        (tmp_path / "ledger.db").unlink()
        until(lambda: len(warnings(home)) > before)  # the registry was asked, and did not answer
        assert client.post("/predict", json=BODY).json() == {"probability": probability(model)}
    with answering(home, LOAN_LEDGER_URL="postgresql://nobody@127.0.0.1:1/none") as client:
        assert client.post("/predict", json=BODY).json() == {"probability": probability(model)}
        copy = next(home.settings.cache.glob("*/model.json"))
    copy.write_bytes(copy.read_bytes()[:-1])
    with answering(home) as client:
        waiting = client.get("/readyz")
        assert waiting.status_code == 503
        assert waiting.json()["code"] == "no_model"
        assert "the candidate was rejected" in waiting.json()["detail"]
    assert "rejected the local copy: model.json: its bytes are not those" in caplog.text


def test_keys_are_asked_for_and_can_be_taken_away(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(slope=0.1)
    key, narrow = home.keys.create("shop"), home.keys.create("files", ("batch",))
    with serving(home) as client:

        def asked(**headers: str) -> tuple[int, str]:
            answer = client.post(
                "/predict", json=BODY, headers={name.replace("_", "-"): v for name, v in headers.items()}
            )
            return answer.status_code, answer.json().get("code", "")

        assert asked(x_api_key=key) == (200, "")
        assert asked() == (401, "no_valid_key")
        assert asked(x_api_key=key[:-1]) == (401, "no_valid_key")
        assert asked(x_api_key="lp_00000000_x") == (401, "no_valid_key")
        assert asked(x_api_key=narrow) == (403, "not_in_scope")
        assert client.get("/readyz").status_code == client.get("/livez").status_code == 200
        new = home.keys.create("shop")
        until(lambda: asked(x_api_key=new) == (200, ""))
        assert asked(x_api_key=key) == (200, "")
        home.keys.revoke(key.split("_")[1])
        until(lambda: asked(x_api_key=key) == (401, "no_valid_key"))
        assert asked(x_api_key=new) == (200, "")
    log = (tmp_path / "service.log").read_text()
    assert key not in log
    assert new.split("_", 2)[2] not in log + home.settings.api_keys.read_text()


def test_it_does_not_start_without_keys(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", "import bento.service"],
        cwd=REPOSITORY,
        env={**home.environment, "PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "make key NAME=" in ran.stderr
    assert BOOK not in ran.stdout
