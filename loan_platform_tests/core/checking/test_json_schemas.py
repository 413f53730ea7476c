"""The committed schemas are those of the models: they take the shipped files and refuse wrong ones."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import loan_platform
from loan_platform.core.checking.json_schemas import MODELS, editor_line, schema_path, schema_text
from loan_platform.core.checking.reference_page import reference
from loan_platform_tests.support.books import ATTRIBUTES, CONTRACT
from loan_platform_tests.support.paths import REPOSITORY

BOOKS = sorted(path.parent for path in (Path(loan_platform.__file__).parent / "defs").glob("*/defs.yaml"))
DEFS = {"type": "loan_platform.assets.loan_portfolio.LoanPortfolio", "attributes": ATTRIBUTES}
GOOD: dict[str, Any] = {"contract": CONTRACT, "defs": DEFS}


def validator(file: str) -> jsonschema.Draft7Validator:
    schema = json.loads(schema_path(file).read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize("file", MODELS)
def test_the_committed_schema_is_that_of_the_models(file: str) -> None:
    assert schema_path(file).read_text() == schema_text(file), "run `make docs`"


def test_the_committed_reference_is_that_of_the_models() -> None:
    assert (REPOSITORY / "docs" / "contract.md").read_text() == reference(), "run `make docs`"


def test_every_key_has_a_meaning() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if len(row.rstrip("| ").rpartition(" | ")[2]) < 10] == []


@pytest.mark.parametrize("file", MODELS)
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_shipped_files_fit_and_name_their_schema(book: Path, file: str) -> None:
    text = (book / f"{file}.yaml").read_text()
    assert list(validator(file).iter_errors(yaml.safe_load(text))) == []
    assert text.splitlines()[0] == editor_line(file, book)
    assert (book / text.splitlines()[0].partition("$schema=")[2]).resolve() == schema_path(file)


@pytest.mark.parametrize("file", MODELS)
def test_a_book_of_somebody_else_fits(file: str) -> None:
    assert list(validator(file).iter_errors(GOOD[file])) == []


def nodes(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for part in schema for found in nodes(part)]
    if isinstance(schema, dict):
        return [schema, *(found for part in schema.values() for found in nodes(part))]
    return []


@pytest.mark.parametrize("file", MODELS)
def test_maps_are_closed_and_keys_described(file: str) -> None:
    schema = json.loads(schema_path(file).read_text())
    models = [node for node in nodes(schema) if isinstance(node.get("properties"), dict) and "type" in node]
    assert len(models) >= 4
    for model in models:
        assert model["additionalProperties"] is False
        assert [key for key, value in model["properties"].items() if not value.get("description")] == []


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        ("contract", ("columns", 1, "maximun"), 5),
        ("contract", ("columns", 1, "type"), "nmber"),
        ("contract", ("columns", 1, "minimum"), "0"),
        ("contract", ("columns", 1, "minimum"), True),
        ("contract", ("columns", 1, "name"), "Gross Salary"),
        ("contract", ("columns", 1, "required"), "yes"),
        ("contract", ("columns", 3, "allowed"), "north"),
        ("contract", ("columns", 3, "allowed"), [False]),
        ("contract", ("columns", 1, "max_missing"), 1.5),
        ("contract", ("columns",), []),
        ("contract", ("target",), "x"),
        ("contract", ("target", "sql"), ""),
        ("contract", ("features", 0, "kind"), "text"),
        ("contract", ("features", 0, "monotone"), "up"),
        ("contract", ("entity_key",), None),
        ("contract", ("events_date",), "x"),
        ("defs", ("type",), "LoanPortfolio"),
        ("defs", ("attribute",), {}),
        ("defs", ("attributes", "sources"), ["loans"]),
        ("defs", ("attributes", "sources", "loans"), "data/loans.csv"),
        ("defs", ("attributes", "sources", "loans", "max_rows"), 0),
        ("defs", ("attributes", "split", "kind"), "time"),
        ("defs", ("attributes", "split", "folds"), 1),
        ("defs", ("attributes", "split", "folds"), 2.5),
        ("defs", ("attributes", "training", "families"), ["forest"]),
        ("defs", ("attributes", "training", "families"), []),
        ("defs", ("attributes", "promotion", "max_ece"), 3),
        ("defs", ("attributes", "partitions", "start"), "2007-13"),
        ("defs", ("requirements",), {"envs": []}),
        ("defs", ("post_processing",), {"assets": "all"}),
    ],
)
def test_a_wrong_file_is_refused(file: str, path: tuple[Any, ...], value: Any) -> None:
    tree = copy.deepcopy(GOOD[file])
    owner = tree
    for part in path[:-1]:
        owner = owner[part]
    owner[path[-1]] = value
    assert len(list(validator(file).iter_errors(tree))) == 1


@pytest.mark.parametrize(
    ("file", "path"),
    [("contract", ("target",)), ("contract", ("features", 0, "reason")), ("defs", ("attributes", "sources"))],
)
def test_a_file_without_a_required_key_is_refused(file: str, path: tuple[Any, ...]) -> None:
    tree = copy.deepcopy(GOOD[file])
    owner = tree
    for part in path[:-1]:
        owner = owner[part]
    del owner[path[-1]]
    (error,) = validator(file).iter_errors(tree)
    assert error.validator == "required"


def test_everything_that_dagster_allows_in_the_file() -> None:
    more = {
        "requirements": {"env": ["BUCKET"]},
        "template_vars_module": ".template_vars",
        "post_processing": {"assets": [{"target": "*", "attributes": {"owners": ["team:risk"]}}]},
    }
    assert list(validator("defs").iter_errors(DEFS | more)) == []
