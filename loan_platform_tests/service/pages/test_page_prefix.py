"""The page and the API reference behind a proxy that serves the service below a path."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from loan_platform_tests.support.bundles import make_ranged_bundle, typed_rows
from loan_platform_tests.support.service.browser import CHROMIUM, browser
from loan_platform_tests.support.service.running import Home, serving

pytestmark = pytest.mark.slow

PREFIX = "/loans"
ROWS = typed_rows().write_csv().encode()
ADDRESS = re.compile(r"(?:src=|href=|fetch\(|from )\"([^\"#?]+)")
ANSWERED = "document.querySelector('#main')?.hidden === false && !document.querySelector('#answered').hidden"
HOPS = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    home.promote(0.1, make=make_ranged_bundle)
    return home


@pytest.fixture(scope="module")
def proxied(home: Home) -> Iterator[str]:
    """The address of the service below a path of a proxy that removes it."""
    with serving(home, LOAN_ENV="development") as client, proxy(client) as address:
        yield f"{address}{PREFIX}/"


@contextmanager
def proxy(service: httpx.Client) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not self.path.startswith(f"{PREFIX}/"):
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {"content-type": self.headers.get("content-type", "")} if body else {}
            answer = service.request(self.command, self.path.removeprefix(PREFIX), content=body, headers=headers)
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in HOPS:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_every_address_of_the_pages_is_below_the_path(proxied: str) -> None:
    found: set[str] = set()
    for page in ("", "docs"):
        html = httpx.get(urljoin(proxied, page)).text
        found |= {urljoin(proxied + page, address) for address in ADDRESS.findall(html)}
    scripts = [address for address in found if address.endswith(".js")]
    for script in scripts:
        for address in ADDRESS.findall(httpx.get(script).text):
            # Modules are relative to the script, and requests to the page.
            found.add(urljoin(script if address.endswith(".js") else proxied, address))
    assert len(found) > 8
    for address in sorted(found - {"data:,"}):
        assert address.startswith(proxied), address
        assert httpx.get(address).status_code in (200, 405), address  # the page posts to one of them


def test_the_document_names_its_own_folder(proxied: str) -> None:
    address = urljoin(proxied, "docs.json")
    document = httpx.get(address).json()
    server = urljoin(address, document["servers"][0]["url"])
    assert server == proxied
    assert httpx.get(server.rstrip("/") + "/readyz").status_code == 200


def test_the_location_of_a_batch_job_is_below_the_path(proxied: str) -> None:
    address = urljoin(proxied, "api/v1/predict/batch")
    accepted = httpx.post(address, content=ROWS, headers={"content-type": "text/csv"})
    assert accepted.status_code == 202, accepted.text
    job = urljoin(address, accepted.headers["location"])
    assert job == f"{address}/{accepted.json()['job_id']}"
    assert httpx.get(job).json()["job_id"] == accepted.json()["job_id"]


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
def test_the_form_scores_behind_the_path(proxied: str, tmp_path: Path) -> None:
    with browser(tmp_path) as page:
        page.look(1280, 900)
        page.open(proxied)
        page.wait("document.querySelector('#main')?.hidden === false")
        page.run("document.querySelector('#form button[type=submit]').click()")
        page.wait(ANSWERED)
        assert page.complaints == []
        page.open(urljoin(proxied, "docs"))
        page.wait("document.querySelector('#schemas') !== null && document.styleSheets[0]?.cssRules.length > 0")
        assert page.complaints == []
