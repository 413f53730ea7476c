"""What comes from elsewhere is named by what it is, not by a name that can be pointed to something else."""

import re

import pytest

from loan_platform_tests.support.paths import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
LOCKS = [REPOSITORY / name for name in ("requirements.lock", "bento/requirements.lock", "bento/extras.lock")]


def test_actions_are_pinned_by_commit() -> None:
    used = [name for path in WORKFLOWS for name in re.findall(r"uses: (\S+)", path.read_text())]
    assert used
    assert [name for name in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_each_locked_package_has_its_hashes(lock: str) -> None:
    text = (REPOSITORY / lock).read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
    assert len(packages) > 10
    assert [line.split()[0] for line in packages if "==" not in line or "--hash=sha256:" not in line] == []
    assert "index-url" not in text
