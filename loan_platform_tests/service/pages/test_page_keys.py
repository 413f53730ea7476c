"""The page where keys are needed."""

from pathlib import Path

import pytest

from loan_platform_tests.support.bundles import make_ranged_bundle
from loan_platform_tests.support.service.browser import CHROMIUM, browser
from loan_platform_tests.support.service.running import Home, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]

ANSWERED = "!document.querySelector('#answered').hidden"
SCORE = "document.querySelector('#form button[type=submit]').click()"


def test_a_key_is_asked_for_where_it_is_needed_and_kept_nowhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.promote(0.1, make=make_ranged_bundle)
    key = home.keys.create("page")
    with serving(home, LOAN_ENV="production", LOAN_RATE="unlimited") as client, browser(tmp_path) as tab:
        tab.open(f"{client.base_url}/")
        tab.wait("document.querySelector('#key-field')?.hidden === false")
        tab.run(SCORE)
        tab.wait("document.querySelector('#key-problem').innerText.includes('X-API-Key')")
        tab.fill("#key", key)
        tab.run(SCORE)
        tab.wait(ANSWERED)
        assert tab.text("#key-problem") == ""
        assert key not in tab.run(
            "JSON.stringify([location.href, {...localStorage}, {...sessionStorage}, document.cookie])"
        )
