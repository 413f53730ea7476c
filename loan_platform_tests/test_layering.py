"""Imports go one way: core <- adapters <- assets <- cli; what costs seconds is imported where it is used."""

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import loan_platform
from loan_platform_tests.support.source_trees import parsed

ROOT = Path(loan_platform.__file__).parent
LAYERS = ["core", "adapters", "assets", "cli"]
# Highest first. A room imports rooms of later lines only; rooms of one line do not import each other.
ROOMS = [
    ["cli", "bento"],
    ["definitions"],
    ["assets"],  # the component
    ["assets.automation", "assets.monitoring"],
    ["assets.inference"],
    ["assets.ingestion", "assets.serving", "assets.training"],
    ["assets.registry"],
    ["assets.resources", "assets.specs"],
    ["bento.pages"],
    ["bento.openapi"],
    ["bento.batch", "bento.telemetry"],
    ["bento.model"],
    ["bento.http"],
    ["bento.connections"],
    ["adapters"],  # pandas_frames.py, which logged models of format 1 import
    ["adapters.drafting"],
    ["adapters.book_check", "adapters.reports", "adapters.tracking", "adapters.warehouse"],
    ["adapters.platform", "adapters.sources"],
    ["adapters.audit", "adapters.csv_files", "adapters.ledger", "adapters.service"],
    ["adapters.storage"],
    ["sample_data"],
    ["sample_data.lending_club"],
    ["core.drafting"],
    ["core.drafting.writing"],
    ["core.drafting.judging"],
    ["core.drafting.reading"],
    ["core.performance"],
    ["core.applications", "core.training"],
    ["core.audit", "core.evaluation", "core.monitoring"],
    ["core.checking", "core.scoring"],
    ["core.features", "core.models", "core.staging"],
    ["core.rule_sql"],
    ["core.book"],
    ["settings"],  # core may not read it, see below
    ["core"],  # errors.py
]
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
    tree = parsed(path)
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.module or "", node.lineno


def room(module: str) -> str:
    """`core.models` for `loan_platform.core.models.trees`: the folder a module is in, or the module of none."""
    parts = module.removeprefix("loan_platform.").split(".")
    depth = 3 if parts[:2] == ["core", "drafting"] else 2
    return ".".join(parts[: min(depth, len(parts) - 1)]) if len(parts) > 1 else parts[0]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)


def own_imports() -> Iterator[tuple[str, str, str]]:
    """Importing module, imported module, and where."""
    paths = [*modules(*LAYERS, "sample_data"), *ROOT.glob("*.py"), *sorted((ROOT.parent / "bento").rglob("*.py"))]
    known = {module_of(path) for path in paths}
    for path in paths:
        tree = parsed(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                names = {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
                for name in names & known:
                    yield module_of(path), name, f"{path.relative_to(ROOT.parent)}:{node.lineno}"


def tier(name: str) -> int:
    found = [i for i, rooms in enumerate(ROOMS) for listed in rooms if listed == name]
    assert len(found) == 1, f"{name!r} stands {len(found)} times in ROOMS: give every folder its place in the order"
    return found[0]


def test_imports_point_down_the_order_of_rooms() -> None:
    wrong = [
        f"{where}: {room(importer)} imports {imported}"
        for importer, imported, where in own_imports()
        if room(importer) != room(imported) and tier(room(importer)) >= tier(room(imported))
    ]
    assert wrong == []


def test_no_file_imports_itself_by_a_detour() -> None:
    arrows: dict[str, set[str]] = {}
    for importer, imported, _ in own_imports():
        arrows.setdefault(importer, set()).add(imported)
    list(TopologicalSorter(arrows).static_order())  # raises CycleError, with the circle


def test_no_folder_holds_more_than_sixteen_files() -> None:
    folders = Counter(
        path.parent
        for package in (ROOT, ROOT.parent / "bento", ROOT.parent / "loan_platform_tests")
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    )
    assert {str(folder): count for folder, count in folders.items() if count > 16} == {}


def test_core_runs_without_the_platform() -> None:
    wrong = [
        f"{path.name}:{line} imports {name}"
        for path in modules("core")
        for name, line in imports(path)
        if name.split(".")[0] in ONLY_ABOVE_CORE or name.startswith("loan_platform.settings")
    ]
    assert wrong == []


def test_dagsters_private_api_is_in_one_file() -> None:
    using = {
        path.name
        for path in [*modules(*LAYERS), *ROOT.glob("*.py")]
        for name, _ in imports(path)
        if name.startswith("dagster._")
    }
    assert using == {"event_log.py"}  # decision 43 says why; test_event_log.py fails where an upgrade breaks it


def test_slow_packages_are_imported_where_they_are_used() -> None:
    wrong = [
        f"{path.name}:{line} imports {name} at module level"
        for path in [*modules("core", "adapters", "assets"), *ROOT.glob("*.py")]
        if path.name not in {"pyfunc_model.py", "bundle_model.py"}  # only MLflow imports them, to load a logged model
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


def test_the_supervisor_loads_nothing_that_answers(tmp_path: Path) -> None:
    code = "import sys, bento.service; print(sorted(set(sys.modules) & {'bento.worker', 'polars', 'numpy', 'sqlglot'}))"
    environment = {"LOAN_PORTFOLIO": "a", "LOAN_ENV": "development", "LOAN_PLATFORM_HOME": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent, env=environment)
    assert loaded.stdout.strip() == "[]"


def test_the_service_loads_no_more_than_it_serves_with(tmp_path: Path) -> None:
    heavy = (SLOW - {"xgboost"}) | {"dagster", "pandas", "duckdb", "loan_platform.adapters.reports.helper_process"}
    code = f"import sys, bento.worker; print(sorted(set(sys.modules) & {heavy!r}))"
    environment = {"LOAN_PORTFOLIO": "a", "LOAN_ENV": "development", "LOAN_PLATFORM_HOME": str(tmp_path), "PATH": ""}
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent, env=environment)
    assert loaded.stdout.strip() == "[]"
