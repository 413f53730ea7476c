"""A logged model of an older format is rejected with what to do, and can be registered again."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.tracking.model_format import FORMAT_TAG, MODEL_FORMAT, ModelFormatError, require_format
from loan_platform.adapters.tracking.registry import PRODUCTION
from loan_platform_tests.support.logged import Book, logged_book, register

# The code that format 1 logged beside the bundle, up to where it fails.
FORMAT_1 = """
import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from loan_platform.adapters.pandas_frames import typed_frame
from loan_platform.core.answers import Answers
from loan_platform.core.bundle import load_bundle
from loan_platform.settings.quiet import quiet_environment
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    with logged_book(tmp_path_factory.mktemp("home")) as book:
        yield book


def old_model(book: Book, folder: Path, code: str) -> str:
    """A copy of the logged model with other code beside its bundle."""
    logged = Path(download_artifacts(book.uris[0]))
    shutil.copytree(logged, folder)
    (script,) = folder.glob("*.py")
    script.write_text(code)
    return str(folder)


def test_a_logged_model_of_format_1_says_what_to_do(book: Book, tmp_path: Path) -> None:
    with pytest.raises(MlflowException) as caught:
        mlflow.pyfunc.load_model(old_model(book, tmp_path / "model", FORMAT_1))
    message = str(caught.value)
    assert "has format 1" in message
    assert f"loads format {MODEL_FORMAT}" in message
    assert "Train and promote again" in message


def test_a_logged_model_of_a_later_format_is_rejected(book: Book, tmp_path: Path) -> None:
    code = (Path(download_artifacts(book.uris[0])) / "pyfunc_model.py").read_text()
    later = code.replace(f"model_format={MODEL_FORMAT}", f"model_format={MODEL_FORMAT + 1}")
    assert later != code
    with pytest.raises(MlflowException, match=f"has format {MODEL_FORMAT + 1}"):
        mlflow.pyfunc.load_model(old_model(book, tmp_path / "model", later))


def test_only_the_present_format_loads() -> None:
    require_format(MODEL_FORMAT)
    with pytest.raises(ModelFormatError):
        require_format(MODEL_FORMAT - 1)


def test_a_model_of_an_older_format_is_not_registered(book: Book) -> None:
    client, model_id = book.tracking.client(), book.uris[1].removeprefix("models:/")
    client.delete_logged_model_tag(model_id, FORMAT_TAG)
    with pytest.raises(ModelFormatError, match="has format 1"):
        register(book, 1)
    client.set_logged_model_tags(model_id, {FORMAT_TAG: str(MODEL_FORMAT)})


def test_a_champion_of_an_older_format_gets_its_own_bundle_again(book: Book, tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    ledger.create()
    old = register(book, 0)
    book.tracking.client().delete_model_version_tag("book", str(old.version), FORMAT_TAG)
    ledger.promote("book", old.version, old.sha256, expected_epoch=0, actor="test", run_id="r", verdict={})
    book.registry.reconcile(ledger, "book")
    before = book.registry.alias("book", PRODUCTION)
    assert before is not None
    assert (before.version, before.model_format) == (old.version, 1)
    again = register(book, 0)
    assert (again.version, again.sha256, again.model_format) == (old.version + 1, old.sha256, MODEL_FORMAT)
    champion = book.registry.reconcile(ledger, "book")
    assert champion is not None
    assert champion.version == old.version
    after = book.registry.alias("book", PRODUCTION)
    assert after is not None
    assert after.version == again.version
