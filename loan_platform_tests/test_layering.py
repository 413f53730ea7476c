"""Imports go one way: core <- adapters <- assets <- cli; what costs seconds is imported where it is used."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import loan_platform

ROOT = Path(loan_platform.__file__).parent
LAYERS = ["core", "adapters", "assets", "cli"]
SLOW = {
    "evidently",
    "great_expectations",
    "mlflow",
    "xgboost",
    "sklearn",
    "optuna",
    "matplotlib",
    "dagster_mlflow",
}
ONLY_ABOVE_CORE = {"dagster", "mlflow", "duckdb", "pandas", "great_expectations", "evidently", "sqlalchemy"}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path, top_level_only: bool = False) -> Iterator[tuple[str, int]]:
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.module or "", node.lineno


@pytest.mark.parametrize("layer", LAYERS)
def test_no_layer_imports_one_above_it(layer: str) -> None:
    above = tuple(f"loan_platform.{name}" for name in LAYERS[LAYERS.index(layer) + 1 :])
    wrong = [
        f"{path.name}:{line} imports {name}"
        for path in modules(layer)
        for name, line in imports(path)
        if above and name.startswith(above)
    ]
    assert wrong == []


def test_core_runs_without_the_platform() -> None:
    wrong = [
        f"{path.name}:{line} imports {name}"
        for path in modules("core")
        for name, line in imports(path)
        if name.split(".")[0] in ONLY_ABOVE_CORE
    ]
    assert wrong == []


def test_no_private_dagster_api() -> None:
    wrong = [
        f"{path.name}:{line}"
        for path in [*modules(*LAYERS), *ROOT.glob("*.py")]
        for name, line in imports(path)
        if name.startswith("dagster._")
    ]
    assert wrong == []


def test_slow_packages_are_imported_where_they_are_used() -> None:
    wrong = [
        f"{path.name}:{line} imports {name} at module level"
        for path in [*modules("core", "adapters", "assets"), *ROOT.glob("*.py")]
        if path.name != "pyfunc_model.py"  # MLflow runs this file itself, as the code of a logged model
        for name, line in imports(path, top_level_only=True)
        if name.split(".")[0] in SLOW
    ]
    assert wrong == []


def test_the_code_location_loads_without_the_slow_packages() -> None:
    code = f"import sys, loan_platform.definitions as d; d.defs(); print(sorted(set(sys.modules) & {SLOW!r}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_the_package_itself_imports_nothing() -> None:
    assert (ROOT / "__init__.py").read_text() == ""


def test_pickle_is_only_between_a_process_and_its_helper() -> None:
    using = [
        path.name
        for path in [*modules(*LAYERS), *(ROOT.parent / "bento").rglob("*.py"), *ROOT.glob("*.py")]
        if {"pickle", "cloudpickle", "joblib", "dill"} & {name.split(".")[0] for name, _ in imports(path)}
    ]
    assert using == ["helper_process.py"]


def test_the_service_stands_on_core_and_adapters() -> None:
    allowed = ("loan_platform.core", "loan_platform.adapters", "loan_platform.settings", "bento.")
    wrong = [
        f"{path.name}:{line} imports {name}"
        for path in sorted((ROOT.parent / "bento").rglob("*.py"))
        for name, line in imports(path)
        if name.split(".")[0] in {"loan_platform", "bento"} and not name.startswith(allowed)
    ]
    assert wrong == []


def test_the_service_loads_no_more_than_it_serves_with(tmp_path: Path) -> None:
    heavy = (SLOW - {"xgboost"}) | {"dagster", "pandas", "duckdb", "loan_platform.adapters.reports.helper_process"}
    code = f"import sys, bento.service; print(sorted(set(sys.modules) & {heavy!r}))"
    environment = {"LOAN_PORTFOLIO": "a", "LOAN_ENV": "development", "LOAN_PLATFORM_HOME": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent, env=environment)
    assert loaded.stdout.strip() == "[]"
