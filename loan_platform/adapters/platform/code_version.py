"""The version of the running code: of the package, and the commit if it runs from a checkout."""

import shutil
import subprocess
from importlib.metadata import version

from loan_platform.settings.checkout import checkout_root


def code_version() -> dict[str, str]:
    """Tags `code_version` and, in a git checkout, `git_commit`, which ends in `-dirty` with uncommitted changes."""
    tags = {"code_version": version("loan-platform")}
    root, git = checkout_root(), shutil.which("git")
    if root is None or git is None or not (root / ".git").exists():
        return tags
    command = [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    return tags | ({"git_commit": described.stdout.strip()} if described.returncode == 0 else {})
