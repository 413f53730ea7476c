"""What pyproject.toml declares is what the code imports, and the locks fit it."""

import ast
import functools
import re
import sys
import tomllib
from importlib import metadata
from itertools import chain

import pytest

from loan_platform_tests.support.paths import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
RUN_TIME = PROJECT["project"]["dependencies"]
OWN = ("loan_platform", "bento", "loan_platform_tests", "benchmarks")
NOT_IMPORTED = {
    "dagster-webserver": "make dev starts it",
    "dagster-postgres": "dagster.yaml names its storage",
    "plotly": "Evidently draws with it; the pin keeps to version 5",
    "dagster-dg-cli": "the command dg",
    "editables": "builds the editable install",
    "pyright": "make typecheck",
    "pytest-cov": "make coverage",
    "pytest-xdist": "make test",
    "ruff": "make lint",
    "schemathesis": "its command runs against the service",
}
PART_OF = {
    "google": "google-cloud-storage",  # google.auth and google.api_core are its errors
    "pydantic_core": "pydantic",
    "opentelemetry": "opentelemetry-sdk",
    "xgboost": "the extras cpu and gpu",
}


@pytest.mark.parametrize("requirement", [*RUN_TIME, *PROJECT["dependency-groups"]["dev"]])
def test_direct_dependency_is_imported(requirement: str) -> None:
    name = _name(requirement)
    files = {str(file) for file in metadata.files(name) or ()}
    imported = {module for folder in OWN for module in _imports(folder)}
    ends = (".py", "/__init__.py")
    found = any(f"{module.replace('.', '/')}{end}" in files for module in imported for end in ends)
    assert found != (name in NOT_IMPORTED), f"{name}: imported {found}, {NOT_IMPORTED.get(name)}"


def test_every_import_of_the_platform_is_declared() -> None:
    declared = {_name(requirement) for requirement in RUN_TIME}
    packages = metadata.packages_distributions()
    tops = {module.split(".")[0] for folder in ("loan_platform", "bento") for module in _imports(folder)}
    foreign = tops - set(sys.stdlib_module_names) - set(OWN) - set(PART_OF)
    assert {top for top in foreign if not {_name(d) for d in packages[top]} & declared} == set()


@pytest.mark.parametrize(
    "lock", ["requirements.lock", "bento/requirements.lock", "bento/extras.lock", "infra/uv-requirements.txt"]
)
def test_lock_pins_every_package_by_hash_and_names_no_index(lock: str) -> None:
    text = (REPOSITORY / lock).read_text()
    blocks = re.split(r"(?m)^(?=[a-z0-9])", text)
    assert all("==" in block and "--hash=sha256:" in block for block in blocks if block and not block.startswith("#"))
    assert not re.search(r"https?://|file:|--index|--extra-index|--find-links", text)


def test_supported_python_versions_are_stated_alike() -> None:
    classifiers = chain(PROJECT["project"]["classifiers"])
    versions = [c.rsplit(" ", 1)[1] for c in classifiers if re.fullmatch(r".*:: 3\.\d+", c)]
    assert versions == ["3.11", "3.12", "3.13"]
    assert PROJECT["project"]["requires-python"] == ">=3.11,<3.14"


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@functools.cache
def _imports(folder: str) -> set[str]:
    """Modules that a folder's files import, by their dotted names."""
    found: set[str] = set()
    for file in (REPOSITORY / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
