"""The private parts of BentoML that the service uses exist in the installed version."""

import importlib
import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from bento.bentoml_internals import SUPPORTED
from loan_platform_tests.support.paths import REPOSITORY

PRIVATE = "bentoml._internal"
ATTRIBUTES = {
    "log": ["SERVER_LOGGING_CONFIG"],
    "utils.circus": ["create_standalone_arbiter", "Arbiter", "ThreadedArbiter"],
    "configuration.containers": ["BentoMLContainer"],
}


def installed() -> str:
    return f"bentoml {version('bentoml')} lacks"


@pytest.mark.parametrize("module", ATTRIBUTES)
def test_bentoml_has_the_private_name(module: str) -> None:
    name = f"{PRIVATE}.{module}"
    try:
        imported = importlib.import_module(name)
    except ImportError:
        pytest.fail(f"{installed()} {name}")
    missing = [attribute for attribute in ATTRIBUTES[module] if not hasattr(imported, attribute)]
    assert not missing, f"{installed()} {name}.{missing}"


def test_bentoml_s_private_names_take_what_they_are_given() -> None:
    from bentoml._internal.configuration.containers import BentoMLContainer
    from bentoml._internal.log import SERVER_LOGGING_CONFIG
    from bentoml._internal.utils.circus import Arbiter, create_standalone_arbiter

    assert isinstance(SERVER_LOGGING_CONFIG, dict), f"{installed()} a dict SERVER_LOGGING_CONFIG"
    parameters = inspect.signature(create_standalone_arbiter).parameters.values()
    names = [parameter.name for parameter in parameters]
    assert names == ["watchers", "threaded", "kwargs"], f"{installed()} the arguments of create_standalone_arbiter"
    arbiter = inspect.signature(Arbiter.__mro__[1].__init__).parameters
    needed = {"endpoint", "pubsub_endpoint", "check_delay"}
    assert needed <= set(arbiter), f"{installed()} {needed - set(arbiter)} of Arbiter"
    directory = BentoMLContainer.prometheus_multiproc_dir
    assert callable(getattr(directory, "set", None)), f"{installed()} prometheus_multiproc_dir.set"


def test_the_supported_versions_are_the_pinned_ones() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (pin,) = [r for r in map(Requirement, project["dependencies"]) if r.name == "bentoml"]
    assert pin.specifier == SpecifierSet(SUPPORTED)
    assert version("bentoml") in pin.specifier


def test_private_names_of_bentoml_are_in_one_file() -> None:
    using = [path.name for path in sorted((REPOSITORY / "bento").rglob("*.py")) if f"{PRIVATE}" in path.read_text()]
    assert using == [Path("bentoml_internals.py").name]
