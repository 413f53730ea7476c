"""A source becomes local files, or one error that says what to do."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlparse

import pytest

from loan_platform.adapters.sources.resolve import absolute, resolve
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError


def _resolve(path: str, home: Path, override: str | None = None) -> list[Path]:
    return resolve(Source(path=path), home=home, cache=home / "cache", override=override, variable="LENDING_CLUB_LOANS")


def test_relative_path_is_below_the_home(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "loans.csv").write_text("a")
    assert _resolve("data/loans.csv", tmp_path) == [tmp_path / "data" / "loans.csv"]


def test_relative_override_is_below_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("a")
    assert _resolve("data/loans.csv", tmp_path / "home", "mine.csv") == [Path("mine.csv")]


def test_glob_gives_files_in_order_of_name(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c.txt"):
        (tmp_path / name).write_text("a")
    (tmp_path / "d.csv").mkdir()
    assert [path.name for path in _resolve("*.csv", tmp_path)] == ["a.csv", "b.csv"]


def test_a_file_named_like_a_glob_is_that_file_only(tmp_path: Path) -> None:
    for name in ("**", "a.csv", "l[o]ans.csv"):
        (tmp_path / name).write_text("a")
    assert [path.name for path in _resolve("**", tmp_path)] == ["**"]
    assert [path.name for path in _resolve("l[o]ans.csv", tmp_path)] == ["l[o]ans.csv"]


@pytest.mark.parametrize(
    ("path", "problem"),
    [("none.csv", "does not exist"), ("none*.csv", "matches no file"), ("folder", "is a directory")],
)
def test_nothing_to_read_names_the_variable(tmp_path: Path, path: str, problem: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=problem) as caught:
        _resolve(path, tmp_path)
    assert "LENDING_CLUB_LOANS" in str(caught.value)
    assert caught.value.file == str(tmp_path / path)


class _Bucket(BaseHTTPRequestHandler):
    """The part of the storage JSON API that listing and downloading need."""

    objects: ClassVar[dict[str, bytes]] = {}
    generation = "1"
    downloads = 0

    def do_GET(self) -> None:
        url = urlparse(self.path)
        query = parse_qs(url.query)
        if url.path == "/storage/v1/b/loans/o":
            prefix = query.get("prefix", [""])[0]
            items = [self._about(name) for name in sorted(self.objects) if name.startswith(prefix)]
            self._send(200, json.dumps({"kind": "storage#objects", "items": items}).encode())
        elif (name := unquote(url.path.rpartition("/o/")[2])) in self.objects:
            type(self).downloads += 1
            self._send(200, self.objects[name])
        else:
            self._send(404, b'{"error": {"code": 404, "message": "Not Found"}}')

    def _about(self, name: str) -> dict[str, str]:
        size = str(len(self.objects[name]))
        link = f"http://{self.headers['Host']}/download/storage/v1/b/loans/o/{name.replace('/', '%2F')}?alt=media"
        return {
            "name": name,
            "bucket": "loans",
            "size": size,
            "generation": self.generation,
            "mediaLink": link,
        }

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silence."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_Bucket]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_Bucket, "objects", {"in/b.csv": b"2", "in/a.csv": b"1", "in/c.txt": b"3"})
    monkeypatch.setattr(_Bucket, "downloads", 0)
    yield _Bucket
    server.shutdown()
    server.server_close()


def test_objects_of_a_bucket_are_fetched_once_per_generation(
    tmp_path: Path, bucket: type[_Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _resolve("gs://loans/in/*.csv", tmp_path)
    assert [(path.name, path.read_bytes()) for path in first] == [("a.csv", b"1"), ("b.csv", b"2")]
    assert _resolve("gs://loans/in/*.csv", tmp_path) == first
    assert bucket.downloads == 2

    monkeypatch.setattr(bucket, "objects", {"in/a.csv": b"new"})
    monkeypatch.setattr(bucket, "generation", "2")
    assert [path.read_bytes() for path in _resolve("gs://loans/in/a.csv", tmp_path)] == [b"new"]


def test_a_relative_path_becomes_absolute_and_a_uri_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert absolute("in/*.csv") == str(tmp_path / "in" / "*.csv")
    assert absolute("~/loans.csv") == str(Path.home() / "loans.csv")
    assert absolute("gs://loans/in/*.csv") == "gs://loans/in/*.csv"


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("gs://loans/in/none*.csv", "matches no object"),
        ("gs://other/in/a.csv", "cannot be read"),
        ("gs://loans", "names no object"),
    ],
)
def test_a_bucket_that_cannot_be_read_is_one_error(tmp_path: Path, uri: str, problem: str) -> None:
    with pytest.raises(SourceError, match=problem) as caught:
        _resolve(uri, tmp_path)
    assert caught.value.file == uri
