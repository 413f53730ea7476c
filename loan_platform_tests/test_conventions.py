"""How the tests are written: shared code lives in `support`, and a test's name is short."""

import ast
from collections.abc import Iterator
from pathlib import Path

from loan_platform_tests.support.paths import REPOSITORY
from loan_platform_tests.support.source_trees import parsed

TESTS = sorted(REPOSITORY.glob("loan_platform_tests/**/*.py"))
BENCHMARKS = sorted(REPOSITORY.glob("benchmarks/**/*.py"))
MAX_NAME = 60


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Each imported name with its module; the name is empty where the module itself is imported."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def where(path: Path, module: str, name: str) -> str:
    return f"{path.relative_to(REPOSITORY)} imports {name or module} from {module}"


def test_no_test_file_imports_another() -> None:
    wrong = [
        where(path, module, name)
        for path in TESTS
        for module, name in imported(path)
        if any(part.startswith("test_") or part == "conftest" for part in (*module.split("."), name))
    ]
    assert wrong == []


def test_tests_import_no_private_name() -> None:
    wrong = [
        where(path, module, name)
        for path in (*TESTS, *BENCHMARKS)
        for module, name in imported(path)
        if module.startswith(("loan_platform", "bento."))
        and any(part.startswith("_") and part != "__future__" for part in (*module.split("."), name))
    ]
    assert wrong == []


def test_benchmarks_need_no_tests() -> None:
    wrong = [
        where(path, module, name)
        for path in BENCHMARKS
        for module, name in imported(path)
        if module.startswith("loan_platform_tests")
    ]
    assert wrong == []


def test_names_of_tests_have_at_most_sixty_characters() -> None:
    functions = [
        node.name
        for path in TESTS
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [name for name in functions if name.startswith("test_") and len(name) > MAX_NAME] == []
