import ast
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from loan_platform.settings import platform
from loan_platform.settings.audit import AuditSettings
from loan_platform.settings.catalogue import CLASSES, renamed_variables
from loan_platform.settings.checkout import checkout_root
from loan_platform.settings.environment import EnvironmentSettings, SettingsError
from loan_platform.settings.platform import LedgerSettings, PlatformSettings
from loan_platform.settings.quiet import QUIET, quiet_environment
from loan_platform.settings.reference import all_settings, settings_page
from loan_platform.settings.service import LimitSettings, ServiceSettings
from loan_platform.settings.source_files import source_override
from loan_platform.settings.telemetry import TelemetrySettings
from loan_platform_tests.support.processes.rights import without_root


def test_defaults_are_embedded_and_below_the_home(tmp_path: Path) -> None:
    settings = PlatformSettings.from_environment({"LOAN_PLATFORM_HOME": str(tmp_path)})
    assert settings.home == tmp_path
    assert settings.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert settings.ledger_url == f"sqlite:///{tmp_path}/ledger.db"
    assert settings.embedded_tracking
    assert {p.relative_to(tmp_path).as_posix() for p in _layout(settings)} == {
        "dagster", "mlflow.db", "mlartifacts", "lake", "reports", "data", "cache", "summary.json"
    }  # fmt: skip


def test_home_is_in_the_checkout_wherever_the_process_starts(tmp_path: Path) -> None:
    code = "from loan_platform.settings.platform import *; print(PlatformSettings.from_environment({}).home)"
    root = checkout_root()
    assert root is not None
    environment = {**os.environ, "PYTHONPATH": str(root)}
    found = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert found.strip() == str(root / ".loan_platform")


def test_settings_name_their_own_servers() -> None:
    settings = PlatformSettings.from_environment(
        {"MLFLOW_TRACKING_URI": "http://mlflow:5000", "LOAN_LEDGER_URL": "postgresql://u:secret@db/ledger"}
    )
    assert settings.tracking_uri == "http://mlflow:5000"
    assert not settings.embedded_tracking
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("LOAN_THREADS", "0", "1 to 1024"),
        ("LOAN_THREADS", "two", "1 to 1024"),
        ("LOAN_THREADS", "²", "1 to 1024"),
        ("LOAN_THREADS", "1_0", "1 to 1024"),
        ("LOAN_MEMORY_LIMIT", "lots", "such as 512MiB or 4GB"),
        ("LOAN_MEMORY_LIMIT", "1MB", "256MiB or more"),
        ("LOAN_LEDGER_URL", "mysql://u:secret@db/x", "postgresql://"),
        ("LOAN_LEDGER_URL", "sqlite:///", "sqlite:///<file>"),
        ("LOAN_LEDGER_URL", "sqlite:///:memory:", "sqlite:///<file>"),
        ("LOAN_LEDGER_URL", "sqlite:///file::memory:?uri=true", "sqlite:///<file>"),
        ("LOAN_LEDGER_URL", "sqlite:////a/ledger.db?uri=true", "sqlite:///<file>"),
        ("LOAN_LEDGER_URL", "sqlite:////", "sqlite:///<file>"),
        ("LOAN_PLATFORM_HOME", "/dev/null", "a folder"),
        ("LOAN_PLATFORM_HOME", "/tmp/50%", "without ?, # or %"),
        ("LOAN_POLL_SECONDS", "nan", "from 0.1 to 3600"),
        ("LOAN_POLL_SECONDS", "0", "from 0.1 to 3600"),
        ("LOAN_ENV", "test", "production or development"),
        ("LOAN_RATE", "5/week", "such as 100/minute"),
        ("LOAN_MAX_IN_FLIGHT", "0", "1 to 10000"),
        ("LOAN_MOST_UNDER_WAY", "many", "1 to 10000"),
        ("LOAN_BATCH_DAYS", "1.5", "1 to 3650"),
        ("LOAN_KEEP_ALIVE_SECONDS", "0", "1 to 3600"),
        ("LOAN_CORS_ORIGINS", "app.example.com", "such as https://app.example.com"),
        ("LOAN_CORS_ORIGINS", "https://a.example/path", "separated by commas"),
        ("LOAN_LOG_LEVEL", "loud", "DEBUG, INFO"),
        ("LOAN_LOG_REQUESTS", "2", "a share from 0 to 1"),
        ("LOAN_DRIFT_SAMPLE", "1e-3", "a share from 0 to 1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "u:secret@host", "http(s) URL"),
        ("LOAN_AUDIT_INPUTS", "some", "omitted, encrypted or plain"),
        ("LOAN_AUDIT_KEEP_DAYS", "-1", "0 to 36525"),
    ],
)
def test_bad_value_names_variable_and_what_it_accepts(name: str, value: str, accepted: str) -> None:
    settings = next(cls for cls in CLASSES for _, _, v in cls.variables() if name in (v.name, *v.former))
    with pytest.raises(SettingsError) as rejected:
        settings.from_environment({"LOAN_PORTFOLIO": "book", name: value}, **_fixed(settings))
    assert str(rejected.value).startswith(name)
    assert accepted in str(rejected.value)
    assert "secret" not in "".join(traceback.format_exception(rejected.value))


@pytest.mark.parametrize("url", ["sqlite:///a", "sqlite:////a b/x.db?timeout=3", "postgresql://u@h/ledger"])
def test_a_ledger_is_a_file_or_a_server(url: str) -> None:
    assert LedgerSettings.from_environment({"LOAN_LEDGER_URL": url}).ledger_url == url


@pytest.mark.parametrize("value", ["", "Book", "a b"])
def test_service_needs_a_portfolio(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^LOAN_PORTFOLIO is .*\. Accepted: the name of a book"):
        ServiceSettings.from_environment({"LOAN_PORTFOLIO": value})


def test_bento_answers_for_its_own_portfolio_only() -> None:
    assert ServiceSettings.for_bento("cars", {}).portfolio == "cars"
    assert ServiceSettings.for_bento("cars", {"LOAN_PORTFOLIO": "cars"}).portfolio == "cars"
    with pytest.raises(SettingsError, match=r"^LOAN_PORTFOLIO is 'boats'"):
        ServiceSettings.for_bento("cars", {"LOAN_PORTFOLIO": "boats"})


def test_blank_variables_count_as_not_set() -> None:
    limits = LimitSettings.from_environment({"LOAN_WORKERS": " ", "LOAN_RATE": "", "LOAN_ENV": "development"})
    assert (limits.workers, limits.rate) == (1, "unlimited")
    assert LimitSettings.from_environment({}).rate == "100/minute"
    assert not ServiceSettings.from_environment({"LOAN_PORTFOLIO": "b", "LOAN_LEDGER_URL": " "}).follows_ledger


def test_former_name_loads_and_is_reported_once() -> None:
    former = {"LOAN_MOST_UNDER_WAY": "7"}
    assert LimitSettings.from_environment(former).max_in_flight == 7
    assert LimitSettings.from_environment({**former, "LOAN_MAX_IN_FLIGHT": "9"}).max_in_flight == 9
    assert renamed_variables(former) == ["LOAN_MOST_UNDER_WAY is now LOAN_MAX_IN_FLIGHT. The old name still works."]
    assert renamed_variables({"LOAN_MAX_IN_FLIGHT": "9"}) == []


def test_secrets_are_not_in_the_text_of_settings() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:secret@host", "LOAN_LEDGER_URL": "postgresql://u:secret@db/x"}
    assert TelemetrySettings.from_environment(environ).traces == "http://u:secret@host"
    service = ServiceSettings.from_environment({**environ, "LOAN_PORTFOLIO": "b"})
    assert service.follows_ledger
    assert "secret" not in f"{service!r} {service} {TelemetrySettings.from_environment(environ)!r}"


def test_audit_settings_are_those_of_one_portfolio(tmp_path: Path) -> None:
    environ = {"LOAN_PLATFORM_HOME": str(tmp_path), "LOAN_PORTFOLIO": "other", "LOAN_AUDIT_KEY": "~/audit.key"}
    audit = AuditSettings.for_portfolio("cars", environ)
    assert audit.directory == tmp_path / "service" / "cars" / "audit"
    assert audit.key == Path.home() / "audit.key"
    assert audit.keep_days is None
    assert AuditSettings.for_portfolio("cars", {"LOAN_AUDIT_KEEP_DAYS": "30"}).keep_days == 30


def test_settings_page_is_generated_and_complete() -> None:
    root = checkout_root()
    assert root is not None
    assert (root / "docs" / "settings.md").read_text() == settings_page(), "run make docs"
    documented = {name for s in all_settings() for name in (s.variable.name, *s.variable.former)}
    assert all(s.field.description and s.variable.accepts and s.read_by for s in all_settings())
    assert _variables_in(root) <= documented


def _variables_in(root: Path) -> set[str]:
    """The variables of ours that the code of the platform and of the service spells as one text."""
    files = [file for folder in ("loan_platform", "bento") for file in (root / folder).rglob("*.py")]
    texts = (node.value for f in files for node in ast.walk(ast.parse(f.read_text())) if isinstance(node, ast.Constant))
    return {text for text in texts if isinstance(text, str) and re.fullmatch("LOAN_[A-Z_]+", text)}


def _fixed(settings: type[EnvironmentSettings]) -> dict[str, str]:
    return {"portfolio": "book"} if settings is AuditSettings else {}


def test_good_values_are_taken(tmp_path: Path) -> None:
    settings = PlatformSettings.from_environment({"LOAN_THREADS": "3", "LOAN_MEMORY_LIMIT": "1.5 GB"})
    assert (settings.threads, settings.memory_limit) == (3, "1.5 GB")


def test_source_override_reads_portfolio_and_source() -> None:
    environ = {"LENDING_CLUB_LOANS": "gs://book/*.csv", "LENDING_CLUB_OUTCOMES": " "}
    assert source_override("lending_club", "loans", environ) == "gs://book/*.csv"
    assert source_override("lending_club", "outcomes", environ) is None


def test_quiet_environment_keeps_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    quiet_environment()
    assert os.environ["OMP_WAIT_POLICY"] == "active"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "yes"


def _layout(settings: PlatformSettings) -> list[Path]:
    return [
        settings.dagster_home,
        settings.mlflow_database,
        settings.mlartifacts,
        settings.lake,
        settings.reports,
        settings.data,
        settings.cache,
        settings.summary,
    ]


@pytest.mark.parametrize("checkout", ["", ".loan_platform/inside"])
def test_file_in_place_of_default_home_is_told(checkout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".loan_platform").write_text("")
    monkeypatch.setattr(platform, "checkout_root", lambda: tmp_path / checkout)
    reason = re.escape(f"{tmp_path / '.loan_platform'} is not a folder. Move it away")
    with pytest.raises(SettingsError, match=rf"^LOAN_PLATFORM_HOME is not set, .* cannot be used: {reason}, or set"):
        PlatformSettings.from_environment({})
    stated = {"LOAN_PLATFORM_HOME": str(tmp_path / checkout / ".loan_platform")}
    with pytest.raises(SettingsError, match=rf"^LOAN_PLATFORM_HOME is '.*'\. It cannot be used: {reason}\. Accepted: "):
        PlatformSettings.from_environment(stated)


def test_default_home_without_rights_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "checkout_root", lambda: tmp_path / "closed")
    (tmp_path / "closed").mkdir(mode=0o000)
    with without_root(), pytest.raises(SettingsError) as told:
        PlatformSettings.from_environment({})
    assert f"{tmp_path}/closed/.loan_platform: Permission denied. Give this user the rights to it" in str(told.value)
    assert "is missing" not in str(told.value)


def test_default_home_of_circular_links_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "checkout_root", lambda: tmp_path)
    (tmp_path / ".loan_platform").symlink_to(tmp_path / ".loan_platform")
    with pytest.raises(SettingsError, match=r"^LOAN_PLATFORM_HOME is not set, .*/\.loan_platform: its links go in a "):
        PlatformSettings.from_environment({})
