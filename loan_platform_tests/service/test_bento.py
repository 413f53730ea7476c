"""The service built into a Bento: the same inputs are the same Bento, and it answers as the batch does."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock
from packaging.requirements import Requirement

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.service.bentos import BentoStore, Built, digest_of, service_files
from loan_platform.adapters.service.served_bento import GoldenRowsCheck, check_golden_rows
from loan_platform.cli.jobs import run_job
from loan_platform.cli.run_log import RunLog
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.definitions import defs
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.bundles import make_bundle
from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.processes.homes import ready_home
from loan_platform_tests.support.service.club import make_club_bundle
from loan_platform_tests.support.service.running import BOOK

pytestmark = pytest.mark.slow

TOP = {"bento", "loan_platform", "champion", "bentofile.yaml"}
NEVER = re.compile(r"^\s*(import|from) (dagster|mlflow|pandas|evidently|great_expectations)\b", re.MULTILINE)
DUCKDB = re.compile(r"^\s*(import|from) duckdb\b", re.MULTILINE)  # of the extras: only batch jobs import it


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    directory = tmp_path_factory.mktemp("model") / "bundle"
    return directory, make_bundle(directory)[1]


def build(home: Path, bundle: tuple[Path, str], version: int = 3) -> Built:
    return BentoStore(home, REPOSITORY).build(BOOK, version, bundle[1], bundle[0])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, bundle: tuple[Path, str]) -> Path:
    """A store with version 3; a test that changes it takes a copy."""
    home = tmp_path_factory.mktemp("store")
    build(home, bundle)
    return home


@pytest.fixture
def copied(store: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    return Path(shutil.copytree(store, tmp_path / "copied"))


def test_a_bento_answers_like_the_batch_until_it_is_changed(copied: Path, bundle: tuple[Path, str]) -> None:
    built = build(copied, bundle)
    assert built.tag == f"{BOOK}:3-{built.digest[:12]}"
    answers = check_golden_rows(copied, built, load_bundle(bundle[0]))
    assert (answers.different, answers.model_sha256) == ((), bundle[1])
    assert answers.rows >= 32

    answers_json = '{"predictions": answers}'
    other = '{"predictions": [{**answer, "score": 1.0} for answer in answers]}'
    rewrite(built.source / "bento" / "scoring.py", answers_json, other)
    assert not built.is_intact()
    assert len(check_golden_rows(copied, built, load_bundle(bundle[0])).different) == answers.rows
    assert build(copied, bundle).is_intact()


def rewrite(changed: Path, old: str, new: str) -> None:
    """Change a line of code."""
    text = changed.read_text()
    changed.write_text(text.replace(old, new))
    assert changed.read_text() != text


def test_changed_code_does_not_load_the_model(copied: Path, bundle: tuple[Path, str]) -> None:
    source = build(copied, bundle).source
    code = "from pathlib import Path; from loan_platform.core.scoring.bundle import load_bundle as load; "
    load = [sys.executable, "-c", code + "load(Path('champion/bundle'))"]
    assert subprocess.run(load, cwd=source, check=False).returncode == 0
    changed = source / "loan_platform" / "core" / "scoring" / "scoring_model.py"
    rewrite(changed, "return scale.points - factor", "return scale.points + 1e-9 - factor")
    refused = subprocess.run(load, cwd=source, check=False, capture_output=True, text=True)
    assert "answers.json: golden row 1 has another answer than when the bundle was written (score)" in refused.stderr


def test_the_same_champion_and_code_are_the_same_bento(copied: Path, tmp_path: Path, bundle: tuple[Path, str]) -> None:
    first, elsewhere = build(copied, bundle), build(tmp_path / ".hidden" / "b", bundle)
    assert (first.tag, first.digest) == (elsewhere.tag, elsewhere.digest)
    assert digest_of(first.source) == digest_of(elsewhere.source)
    made = first.path.stat().st_mtime_ns
    assert build(copied, bundle) == first
    assert first.path.stat().st_mtime_ns == made
    assert build(copied, bundle, version=4).tag != first.tag


def test_a_bento_holds_what_it_serves_with_and_nothing_else(store: Path, bundle: tuple[Path, str]) -> None:
    source = build(store, bundle).source
    assert {path.name for path in source.iterdir()} == TOP
    assert {path.name for path in (source / "champion").iterdir()} == {"bundle", "champion.json"}
    modules = list(source.rglob("*.py"))
    assert len(modules) == len([path for path in service_files(REPOSITORY) if path.suffix == ".py"])
    assert not [path for path in modules if NEVER.search(path.read_text())]
    with_duckdb = {path.parent.name for path in modules if DUCKDB.search(path.read_text())}
    assert with_duckdb == {"sources", "warehouse"}
    assert not list(source.rglob("*.db"))
    assert str(store) not in "".join(
        path.read_text() for path in source.rglob("*") if path.suffix in {".yaml", ".json"}
    )


def test_a_killed_build_leaves_no_half_bento(tmp_path: Path, bundle: tuple[Path, str]) -> None:
    script = (
        "import sys; from pathlib import Path; from loan_platform.adapters.service.bentos import BentoStore\n"
        "BentoStore(*map(Path, sys.argv[1:3])).build(sys.argv[3], 3, sys.argv[4], Path(sys.argv[5]))"
    )
    arguments = [str(tmp_path), str(REPOSITORY), BOOK, bundle[1], str(bundle[0])]
    for seconds in (0.3, 0.9, 1.5):
        killed = subprocess.Popen([sys.executable, "-c", script, *arguments], start_new_session=True)
        time.sleep(seconds)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    built = build(tmp_path, bundle)
    assert built.is_intact()
    assert {path.name for path in built.path.parent.iterdir()} == {built.path.name}
    assert {path.name for path in tmp_path.iterdir()} == {"bentos", f"{BOOK}.lock"}


def test_a_builder_waits_for_the_one_before_it(tmp_path: Path, bundle: tuple[Path, str]) -> None:
    with ThreadPoolExecutor(1) as builder:
        with FileLock(tmp_path / f"{BOOK}.lock"):
            waiting = builder.submit(build, tmp_path, bundle)
            with pytest.raises(TimeoutError):
                waiting.result(4)  # twice what building takes
            assert not (tmp_path / "bentos").exists()
        assert waiting.result().is_intact()


def test_a_small_image_names_what_it_lacks_for_a_ledger(tmp_path: Path) -> None:
    code = "import sys; sys.modules['sqlalchemy'] = None; import bento.service"
    environment = {"LOAN_PORTFOLIO": "a", "LOAN_ENV": "development", "LOAN_PLATFORM_HOME": str(tmp_path)}
    environment["LOAN_LEDGER_URL"] = "postgresql://u:secret@db/ledger"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "SettingsError: LOAN_LEDGER_URL" in ran.stderr
    assert "SQLAlchemy" in ran.stderr
    assert "secret" not in ran.stderr


def test_the_asset_builds_the_champion_and_its_check_asks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAN_PLATFORM_HOME", str(tmp_path))
    settings, log = PlatformSettings.from_environment(), RunLog()
    ready_home(settings.home)
    directory = tmp_path / "bundle"
    _, sha256 = make_club_bundle(directory)
    model = settings.lake / "lending_club" / "trained_model" / sha256
    model.mkdir(parents=True)
    (model / "bundle").symlink_to(directory)
    with dg.DagsterInstance.ephemeral() as instance:
        assert not run_job(defs(), "lending_club_service", instance, log)
        assert "lending_club has no champion: materialize promoted_model first" in log.errors[0]
        who = {"actor": "test", "run_id": "run", "verdict": {}}
        Ledger(settings.ledger_url).promote("lending_club", 1, sha256, expected_epoch=0, **who)
        assert run_job(defs(), "lending_club_service", instance, log), log.errors
    told = log.metadata["scoring_service", None]
    assert not log.failed_checks
    assert told["champion_sha256"] == sha256
    assert told["serve"] == (f"BENTOML_DO_NOT_TRACK=True BENTOML_HOME={settings.bentos} bentoml serve {told['tag']}")
    latest = settings.bentos / "bentos" / "lending_club" / "latest"
    assert latest.read_text() == told["tag"].split(":")[1]
    with dg.DagsterInstance.ephemeral() as instance:
        latest.write_text("the one before")
        different = GoldenRowsCheck(rows=64, different=(3,), ready_seconds=0.1, model_sha256=sha256)
        monkeypatch.setattr("loan_platform.adapters.service.served_bento.check_golden_rows", lambda *_: different)
        refused = RunLog()
        assert not run_job(defs(), "lending_club_service", instance, refused)
    assert refused.failed_checks == ["scoring_service: service_answers_like_the_batch"]
    assert f"{told['tag']} is refused" in refused.errors[0]
    assert ("scoring_service", None) not in refused.metadata
    assert latest.read_text() == "the one before"


def test_the_image_has_the_versions_that_are_tested_here() -> None:
    for name in ("requirements", "extras"):
        lines = (REPOSITORY / "bento" / f"{name}.lock").read_text().splitlines()
        pinned = [Requirement(line.removesuffix(" \\")) for line in lines if line and line[0] not in " #"]
        ours = [pin for pin in pinned if pin.marker is None or pin.marker.evaluate()]
        assert len(ours) > 60
        assert {pin.name: version(pin.name) for pin in ours} == {
            pin.name: str(pin.specifier).removeprefix("==") for pin in ours
        }
        never = {"dagster", "mlflow", "pandas", "scikit-learn", "duckdb", "pytest"}
        assert {pin.name for pin in ours} & never == ({"duckdb"} if name == "extras" else set())


def test_the_small_image_needs_no_duckdb() -> None:
    code = "import sys; sys.modules['duckdb'] = None; import bento.batch.runner, bento.routes"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=environment, check=False).returncode == 0


def test_the_image_runs_unprivileged_and_from_the_lock() -> None:
    lines = (REPOSITORY / "bento" / "Dockerfile").read_text().splitlines()
    assert "USER 10001" in lines
    assert lines.index("USER 10001") < next(i for i, line in enumerate(lines) if line.startswith("ENTRYPOINT"))
    assert any("--require-hashes" in line for line in lines)
