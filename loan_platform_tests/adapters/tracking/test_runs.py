import json
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from mlflow.models import get_model_info

from loan_platform.adapters.ledger.entries import Champion
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.tracking.model_logging import log_bundle, requirements
from loan_platform.adapters.tracking.registry import PRODUCTION, STAGING, RegistryError
from loan_platform.adapters.tracking.runs import Dataset
from loan_platform_tests.support.logged import ANSWER, ROWS, Book, logged_book, register
from loan_platform_tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with logged_book(tmp_path_factory.mktemp("home")) as book:
        yield book


def test_a_run_keeps_what_is_logged_to_it(book: Book, tmp_path: Path) -> None:
    run, parts = book.tracking.client().create_run(book.tracking.experiment("book")), {"training": 123, "test": 45}
    book.tracking.log(
        run.info.run_id,
        params={"families": ("scorecard", "mlp"), "trials": 10, **{f"p{i}": i for i in range(150)}},
        metrics={"auc": 0.71},
        tags={"dagster_run_id": "abc"},
        datasets=[Dataset("loan_features", "0" * 64, "/lake/x", n, name) for name, n in parts.items()],
        files={"plots/roc.png": b"\x89PNG", "tables/importance.json": "{}"},
    )
    client = book.tracking.client()
    found = client.get_run(run.info.run_id)
    assert found.data.params["families"] == '["scorecard", "mlp"]'
    assert len(found.data.params) == 152
    assert found.data.metrics == {"auc": 0.71}
    assert found.data.tags["dagster_run_id"] == "abc"
    assert found.inputs is not None
    logged = {i.tags[0].value: json.loads(i.dataset.profile or "") for i in found.inputs.dataset_inputs}
    assert logged == {name: {"num_rows": rows, "sha256": "0" * 64} for name, rows in parts.items()}
    plots = Path(client.download_artifacts(run.info.run_id, "plots", str(tmp_path)))
    assert (plots / "roc.png").read_bytes() == b"\x89PNG"


def test_files_are_in_the_home_not_in_the_working_directory(book: Book) -> None:
    client = book.tracking.client()
    assert str(client.get_run(book.run_id).info.artifact_uri).startswith(book.settings.mlartifacts.as_uri())
    assert book.tracking.experiment("book") == book.tracking.experiment("book")
    assert not Path("mlruns").exists()


def test_the_logged_model_is_json_and_code(book: Book) -> None:
    files = [p for p in book.settings.mlartifacts.rglob("*") if p.is_file() and "models" in p.parts]
    assert {p.suffix for p in files} <= {".json", ".py", ".yaml", ".yml", ".txt", ""}
    assert not [p for p in files if "pickle" in p.name or p.suffix == ".pkl"]
    info = get_model_info(book.uris[0])
    assert info.signature is not None
    assert info.signature.inputs.input_names() == [
        "income",
        "utilisation",
        "term",
        "owner",
        "opened",
        "region",
    ]
    assert info.signature.outputs.input_names() == ANSWER
    assert info.metadata is not None
    assert info.metadata["columns"]["opened"] == {"type": "date", "description": "opened", "required": False}
    assert info.metadata["bundle_sha256"] == book.hashes[0]
    assert [line.partition("==")[0] for line in requirements()][:2] == ["loan-platform", "mlflow"]


def test_no_model_is_logged_to_a_run_that_is_not_active(book: Book, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=f"{book.run_id} is not the active run"):
        log_bundle(book.run_id, tmp_path, "0" * 64, [], ROWS)


def test_registering_is_idempotent_by_content(book: Book) -> None:
    first = register(book, 0)
    assert first.aliases == (STAGING,)
    assert first.sha256 == book.hashes[0]
    assert first.run_id == book.run_id
    second = register(book, 1)
    assert second.version == first.version + 1
    again = register(book, 0)
    assert (again.version, again.aliases) == (first.version, (STAGING,))
    assert len(book.tracking.client().search_model_versions("name = 'book'")) == 2
    with pytest.raises(RegistryError, match="book has no version 99"):
        book.registry.version("book", 99)


def test_a_version_that_is_no_challenger_moves_no_alias(book: Book) -> None:
    first = register(book, 0)
    again = book.registry.register("book", book.uris[1], book.hashes[1], book.run_id, {"policy_of": "1"}, alias=None)
    assert STAGING not in again.aliases
    assert STAGING in book.registry.version("book", first.version).aliases


def test_a_promotion_between_reading_and_writing_is_mirrored(book: Book, tmp_path: Path) -> None:
    """One run has read that there is no champion. Another promotes, and writes the alias after the first one."""
    version, url = register(book, 1), f"sqlite:///{tmp_path}/ledger.db"
    ledger, who = Ledger(url), {"actor": "test", "run_id": "r", "verdict": {}}
    ledger.create()
    book.registry.set_alias("book", PRODUCTION, version.version)

    def promote() -> None:
        ledger.promote("book", version.version, version.sha256, expected_epoch=0, **who)
        promoted.set()
        book.registry.reconcile(ledger, "book")

    class Overtaken(Ledger):
        def champion(self, portfolio: str) -> Champion | None:
            found = super().champion(portfolio)
            other.start()
            assert promoted.wait(PATIENCE_SECONDS)
            return found

    promoted, other = Event(), Thread(target=promote)
    assert book.registry.reconcile(Overtaken(url), "book") is None
    other.join(PATIENCE_SECONDS)
    mirrored = book.registry.alias("book", PRODUCTION)
    assert mirrored is not None
    assert mirrored.version == version.version


def test_the_alias_is_repaired_to_what_the_ledger_says(book: Book, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    first, second = register(book, 0), register(book, 1)
    registry, who = book.registry, {"actor": "test", "run_id": "r", "verdict": {}}
    assert registry.reconcile(ledger, "book") is None
    assert registry.alias("book", PRODUCTION) is None
    ledger.promote("book", first.version, first.sha256, expected_epoch=0, **who)
    champion = registry.reconcile(ledger, "book")
    assert champion is not None
    assert (champion.version, champion.epoch) == (first.version, 1)
    registry.set_alias("book", PRODUCTION, second.version)  # somebody moves it by hand
    registry.reconcile(ledger, "book")
    mirrored = registry.alias("book", PRODUCTION)
    assert mirrored is not None
    assert mirrored.version == first.version
    ledger.promote("book", second.version, first.sha256, expected_epoch=1, **who)
    with pytest.raises(
        RegistryError, match=rf"version {second.version} has SHA-256 {second.sha256}.*promoted {first.sha256}"
    ):
        registry.reconcile(ledger, "book")
    assert registry.alias("book", PRODUCTION) == mirrored
    registry.tag("book", first.version, {"verdict": "Promoted."})
    assert registry.version("book", first.version).tags["verdict"] == "Promoted."
