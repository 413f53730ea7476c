"""`loan-platform ledger`: verify, create-key and sign, as a person types them."""

import sys
from pathlib import Path

import pytest

from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.cli.main import main
from loan_platform.settings.platform import PlatformSettings
from loan_platform_tests.support.ledger_rows import WHO, A, B


def ledger(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["loan-platform", "ledger", *arguments])
    return main()


def test_a_ledger_is_verified_signed_and_kept_honest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = PlatformSettings.from_environment()
    settings.home.mkdir()
    assert ledger(monkeypatch, "verify") == 0
    assert "0 rows, unbroken" in capsys.readouterr().out
    Ledger(settings.ledger_url).promote("book", 1, A, expected_epoch=0, **WHO)
    assert ledger(monkeypatch, "verify", "--save", str(tmp_path / "head")) == 0
    assert "book version 1 promoted by policy" in capsys.readouterr().out

    assert ledger(monkeypatch, "create-key") == 0
    monkeypatch.setenv("LOAN_LEDGER_KEY", capsys.readouterr().out.strip())
    assert ledger(monkeypatch, "verify") == 2
    assert "ledger row 1: it has no signature" in capsys.readouterr().err
    assert ledger(monkeypatch, "sign") == 0
    assert capsys.readouterr().out == "1 rows were signed.\n"
    assert ledger(monkeypatch, "verify", "--against", str(tmp_path / "head")) == 0
    assert ledger(monkeypatch, "create-key") == 2
    assert "exists and is kept" in capsys.readouterr().err

    (tmp_path / "head").write_text(B)
    assert ledger(monkeypatch, "verify", "--against", str(tmp_path / "head")) == 2
    assert "ledger row 2: rows are missing at the end" in capsys.readouterr().err


def test_a_service_does_not_start_without_its_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from bento.worker_setup import checked_setup
    from loan_platform.adapters.ledger.signing import LedgerKeyError

    environment = {"LOAN_PLATFORM_HOME": str(tmp_path), "LOAN_PORTFOLIO": "book", "LOAN_ENV": "development"}
    assert checked_setup(environment).ledger_key is None
    with pytest.raises(LedgerKeyError, match=r"none\.key does not exist"):
        checked_setup(environment | {"LOAN_LEDGER_KEY": str(tmp_path / "none.key")})
