"""API keys: hashed at rest, compared whole, two for each name."""

import json
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from loan_platform.adapters.service.api_keys import CACHE_SECONDS, KeyFile, KeyFileError


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "service" / "keys.json")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Moves the clock on, to when the file is read again."""
    clock = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: clock[-1])
    return lambda: clock.append(clock[-1] + CACHE_SECONDS + 0.1)


def test_a_key_is_told_once_and_kept_as_a_hash(keys: KeyFile) -> None:
    text = keys.create("shop")
    found = keys.find(text)
    assert found is not None
    assert (found.name, found.scopes) == ("shop", ("predict", "batch"))
    assert text.split("_", 2)[2] not in keys.path.read_text()
    assert stat.S_IMODE(keys.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: t + "x", lambda t: t.upper(), lambda _: "", lambda _: "lp_"]
)
def test_what_is_not_the_key_is_none(keys: KeyFile, spoil) -> None:
    text = keys.create("shop")
    assert keys.find(spoil(text)) is None
    assert keys.find(text) is not None


def test_two_keys_of_a_name_while_clients_change_over(keys: KeyFile, later: Callable[[], None]) -> None:
    old, new = keys.create("shop"), keys.create("shop")
    with pytest.raises(KeyFileError, match="shop already has 2 keys"):
        keys.create("shop")
    assert keys.find(old) is not None
    keys.revoke(old.split("_")[1])
    later()
    assert (keys.find(old), keys.find(new) is not None) == (None, True)
    assert keys.create("shop") != old


def test_wrong_orders_are_told(keys: KeyFile) -> None:
    with pytest.raises(KeyFileError, match=r"has no key, .*make key NAME="):
        keys.check_not_empty()
    with pytest.raises(KeyFileError, match="'root' is not a scope"):
        keys.create("shop", ("root",))
    with pytest.raises(KeyFileError, match="Pass NAME="):
        keys.create("  ")
    with pytest.raises(KeyFileError, match="has no key 'abc'"):
        keys.revoke("abc")


@pytest.mark.parametrize("content", ["", "{}", "[1]", json.dumps([{"id": "a"}])])
def test_a_damaged_file_is_no_file_of_keys(keys: KeyFile, content: str) -> None:
    keys.path.parent.mkdir()
    keys.path.write_text(content)
    with pytest.raises(KeyFileError, match="not a key file"):
        keys.keys()


def test_known_keys_go_on_when_the_file_is_damaged(keys: KeyFile, later: Callable[[], None]) -> None:
    text = keys.create("shop")
    assert keys.find(text) is not None
    keys.path.write_text("half a fi")
    later()
    assert keys.find(text) is not None
    keys.path.unlink()
    later()
    assert keys.find(text) is None


def test_what_stands_in_a_damaged_file_is_not_told(
    keys: KeyFile, later: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    keys.create("shop")
    assert keys.keys()
    keys.path.write_text('[{"id": "lp_secret"}]')
    later()
    assert keys.keys()
    assert "not a key file" in caplog.text
    assert "lp_secret" not in caplog.text
