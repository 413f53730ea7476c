"""The document is valid, and true of the running service: schemathesis asks what it says may be asked."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.openapi.models import OpenAPI
from jsonschema import Draft202012Validator, FormatChecker

from bento.http.overload import CODE as OVERLOADED
from bento.openapi.errors import CODES
from bento.pages.endpoints import STATIC_FOLDER
from bento.routes import ROUTES
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform_tests.support.bundles import make_ranged_bundle
from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.service.bad_requests import BAD
from loan_platform_tests.support.service.running import Home, serving, stated
from loan_platform_tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

FULL = os.environ.get("LOAN_FAULTS") == "full"
PAGES = [route.path for route in ROUTES if route.operation.tag == "pages"]
ONE_METHOD = {route.path: route.method for route in ROUTES if "{" not in route.path}
EXAMPLES = 50 if FULL else 10  # of each route and kind; beside them the edges of each field are tried
# A form of MLflow's has rules that JSON Schema cannot say (lengths that agree), and takes more than it documents.
CONFIG = """
seed = 7
[[operations]]
include-name = "POST /invocations"
[operations.checks]
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false
[[operations]]
include-name = "POST /api/v1/predict/batch"
[operations.checks]
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    home.promote(0.1, make=make_ranged_bundle)
    return home


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[httpx.Client]:
    key = home.keys.create("document")
    with serving(home, LOAN_ENV="production", LOAN_RATE="unlimited") as client:
        client.headers["x-api-key"] = key
        yield client


@pytest.fixture(scope="module")
def document(service: httpx.Client) -> dict[str, Any]:
    return service.get("/docs.json").json()


def test_it_is_openapi_and_its_schemas_are_schemas(document: dict[str, Any]) -> None:
    OpenAPI.model_validate(document)
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = [o["operationId"] for methods in document["paths"].values() for o in methods.values()]
    assert len(set(names)) == len(names)


def test_it_has_every_route_and_no_other(document: dict[str, Any]) -> None:
    described = {path: {method.upper() for method in methods} for path, methods in document["paths"].items()}
    in_table: dict[str, set[str]] = {}
    for route in ROUTES:
        in_table.setdefault(route.path, set()).add(route.method)
        operation = document["paths"][route.path][route.method.lower()]
        assert ("security" in operation) == (route.scope is None), route.path
    assert described == in_table


def contents(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            parts = [operation.get("requestBody", {}), *operation["responses"].values()]
            yield from ((path, about) for part in parts for about in part.get("content", {}).values())


def test_every_example_is_what_its_schema_says(document: dict[str, Any]) -> None:
    count = 0
    for path, about in contents(document):
        schema = {**about["schema"], "components": document["components"]}
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        for name, example in about.get("examples", {}).items():
            assert [error.message for error in validator.iter_errors(example["value"])] == [], (path, name)
            count += 1
    assert count > 30


def test_the_examples_are_answered_as_they_say(service: httpx.Client, document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/predict"]["post"]
    asked = operation["requestBody"]["content"]["application/json"]["examples"]
    said = operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert list(asked) == list(said) == ["low", "medium", "high"]
    for name, example in asked.items():
        body = service.post("/api/v1/predict?explain=true", json=example["value"]).json()
        assert body["data"].pop("request_id")
        expected = said[name]["value"]
        assert body == {**expected, "data": {k: v for k, v in expected["data"].items() if k != "request_id"}}
        assert body["data"]["default_risk"].lower() == name


def test_nobody_of_the_golden_rows_is_in_it(home: Home, service: httpx.Client) -> None:
    (folder,) = home.settings.models.glob("*/bundle")
    bundle = load_bundle(folder)
    text = json.dumps(service.get("/docs.json").json(), sort_keys=True) + service.get("/form.json").text
    for row in bundle.golden.frame(bundle.model).to_dicts():
        person = {name: value for name, value in stated(row).items() if value is not None}
        assert not person or json.dumps(person, sort_keys=True) not in text


@pytest.mark.parametrize("path", [path for path in ONE_METHOD if path != "/api/v1/predict/batch"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "OPTIONS"])
def test_another_method_is_a_problem(service: httpx.Client, path: str, method: str) -> None:
    answer = service.request(method, path)
    allowed = "GET, HEAD" if ONE_METHOD[path] == "GET" else ONE_METHOD[path]
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "method_not_allowed"


def test_no_code_is_answered_that_is_not_documented() -> None:
    found: set[tuple[int, str]] = {(503, OVERLOADED)}  # whose answer is made before
    for path in (REPOSITORY / "bento").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "HttpError":
                status, code = (argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant))
                found.add((int(str(status)), str(code)))
    assert found == {(status, code) for status, codes in CODES.items() for code in codes}


@pytest.mark.thorough
def test_schemathesis_finds_no_lie(home: Home, service: httpx.Client, tmp_path: Path) -> None:
    """No 5xx; answers as described, with stable codes; what is described is taken, and what is not is refused."""
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run"]
    asked = [f"{service.base_url}/docs.json", "--header", f"X-API-Key: {service.headers['x-api-key']}"]
    how = ["--phases", "examples,coverage,fuzzing", "--max-examples", str(EXAMPLES), "--generation-database", "none"]
    found = subprocess.run(
        [*command, *asked, *how, "--no-color"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-6_000:] + found.stderr[-2_000:]
    cases = re.search(r"(\d+) generated", found.stdout)
    assert cases is not None, found.stdout[-2_000:]
    assert int(cases[1]) > 300
    assert " 500 " not in service.get("/metrics").text
    assert "defect" not in (home.root / "service.log").read_text()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_answered_as_documented(service: httpx.Client, document: dict[str, Any], name: str) -> None:
    request, status, code = BAD[name]
    path, method = httpx.URL(request["url"]).path, request["method"].lower()
    answer = service.request(**request)
    problem = {**document["components"]["schemas"]["Problem"], "components": document["components"]}
    assert [error.message for error in Draft202012Validator(problem).iter_errors(answer.json())] == []
    if status not in {404, 405}:  # of what is not there
        response = document["paths"][path][method]["responses"][str(status)]
        assert code in response["content"]["application/problem+json"]["examples"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_sent_with_strict_headers_and_once(service: httpx.Client, path: str) -> None:
    first = service.get(path)
    assert first.status_code == 200
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert first.headers["x-content-type-options"] == "nosniff"
    again = service.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert service.get(path, headers={"if-none-match": '"another"'}).content == first.content


def test_pages_ask_nothing_of_anybody_else(service: httpx.Client) -> None:
    for path in PAGES:
        text = service.get(path).text
        outside = set(re.findall(r"(?:src|href|url\(|fetch\(|import)\s*[=(]?\s*[\"'](?:https?:)?//[^\"']*", text))
        assert outside == set(), path
    html = service.get("/docs").text + service.get("/").text
    inline = re.findall(r"<script(?![^>]* src=)|<style|\son[a-z]+=|\sstyle=", html)
    assert inline == []


def test_what_the_pages_are_made_of_is_beside_the_code() -> None:
    files = {path.name for path in STATIC_FOLDER.iterdir()}
    assert files == {"index.html", *(path.rpartition("/")[2] for path in PAGES if path.startswith("/page/"))}


def test_the_docs_page_names_every_route_field_and_error(service: httpx.Client, document: dict[str, Any]) -> None:
    html = service.get("/docs").text
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert f'id="{operation["operationId"]}"' in html, path
    application = document["components"]["schemas"]["Application"]["properties"]
    assert all(f"<code>{name}</code>" in html for name in application)
    codes = document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    answered = [
        code for code in codes if code not in {"unknown_path", "method_not_allowed", "preflight_refused"}
    ]  # of no route
    assert [code for code in answered if f"<code>{code}</code>" not in html] == []
