"""A home with a champion, and the service on it for a whole file of tests."""

from collections.abc import Iterator

import httpx
import pytest

from loan_platform_tests.support.service.running import Home, serving


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    home.promote(slope=0.1)
    return home


@pytest.fixture(scope="module")
def service(home: Home) -> Iterator[httpx.Client]:
    with serving(home, LOAN_ENV="development") as client:
        yield client
