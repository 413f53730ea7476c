"""Set-up hands pip's package index and certificates to uv, which does not read pip's configuration."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loan_platform_tests.support.paths import REPOSITORY

SHOW = '. infra/package-index.sh; printf "%s|%s" "${UV_DEFAULT_INDEX:-}" "${SSL_CERT_FILE:-}"'
FROM_FILE = "index.invalid/file|/file.pem"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, FROM_FILE),
        ({"PIP_INDEX_URL": "index.invalid/env", "PIP_CERT": "/env.pem"}, "index.invalid/env|/env.pem"),
        ({"UV_DEFAULT_INDEX": "index.invalid/uv", "SSL_CERT_FILE": "/uv.pem"}, "index.invalid/uv|/uv.pem"),
    ],
)
def test_uv_uses_the_index_of_pip(tmp_path: Path, environment: dict[str, str], expected: str) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = index.invalid/file\ncert = /file.pem\n")
    names = ("PIP_", "UV_", "SSL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    environ = {**kept, "PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "python": sys.executable, **environment}
    told = subprocess.check_output(["bash", "-euo", "pipefail", "-c", SHOW], cwd=REPOSITORY, env=environ, text=True)
    assert told == expected
