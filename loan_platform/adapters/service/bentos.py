"""Bentos: the service's code and a champion's bundle, built into BentoML's store below the platform home."""

import ast
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from loan_platform.adapters.storage.atomic_files import (
    atomic_write,
    discarded_on_error,
    partial_path,
    remove,
    remove_abandoned,
)
from loan_platform.core.errors import ExplainedError
from loan_platform.settings.quiet import QUIET

SERVICE = "bento"
PACKAGES = (SERVICE, "loan_platform")  # other imports come from the lock
ENTRY = "bento.service:LoanService"
BUILD_SECONDS = 120
LEFT_OUT = frozenset({"__pycache__"})


class BentoError(ExplainedError, RuntimeError):
    """A Bento cannot be built or served; the message says why."""


@dataclass(frozen=True)
class Built:
    """A Bento in the store.

    Attributes:
        tag: `name:version`, for `bentoml serve`.
        path: its folder.
        digest: SHA-256 over the names and bytes of its code and bundle.
    """

    tag: str
    path: Path
    digest: str

    @property
    def source(self) -> Path:
        """Code and bundle."""
        return self.path / "src"

    @property
    def megabytes(self) -> float:
        """Of its files."""
        return sum(file.stat().st_size for file in _files(self.path)) / 1e6

    def is_intact(self) -> bool:
        """Whether code and bundle are still what the digest says."""
        return self.source.is_dir() and digest_of(self.source) == self.digest


class BentoStore:
    """BentoML's store of a platform home.

    Args:
        home: the value of BENTOML_HOME.
        root: folder that holds the packages of the service and the platform.
    """

    def __init__(self, home: Path, root: Path) -> None:
        self.home, self._root = home, root

    def build(self, portfolio: str, version: int, sha256: str, bundle: Path, signature: str | None = None) -> Built:
        """The Bento of a champion: what is there already, intact, or a new one.

        The same champion and the same code have the same tag: the model's version and the start of the digest. Builders
        of one book wait for each other, so that none takes away what another has just built.

        Raises:
            BentoError: the service is missing, or BentoML does not build it.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        remove_abandoned(self.home)
        with tempfile.TemporaryDirectory(prefix="bento-") as draft:  # BentoML builds nothing below a hidden folder
            source = Path(draft, "source")
            self._stage(source, portfolio, version, sha256, bundle, signature)
            digest = digest_of(source)
            tag = f"{portfolio}:{version}-{digest[:12]}"
            built = Built(tag, self.path(tag), digest)
            with FileLock(self.home / f"{portfolio}.lock"):
                if not built.is_intact():
                    self._build(source, Path(draft, "home"), built)
            return built

    def make_latest(self, built: Built) -> None:
        """Let `bentoml serve <portfolio>`, without a version, serve this Bento."""
        atomic_write(built.path.parent / "latest", built.path.name)

    def path(self, tag: str) -> Path:
        """The folder of a Bento."""
        return self.home.joinpath("bentos", *tag.split(":"))

    def command(self, tag: str) -> str:
        """What serves a Bento; BentoML asks whether it may report its use before it loads our code."""
        return f"BENTOML_DO_NOT_TRACK=True BENTOML_HOME={shlex.quote(str(self.home))} bentoml serve {tag}"

    def _stage(
        self, source: Path, portfolio: str, version: int, sha256: str, bundle: Path, signature: str | None
    ) -> None:
        for file in service_files(self._root):
            copy = source / file.relative_to(self._root)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        shutil.copytree(bundle, source / "champion" / "bundle")
        champion = {"portfolio": portfolio, "version": version, "sha256": sha256}
        champion |= {"signature": signature} if signature else {}
        (source / "champion" / "champion.json").write_text(json.dumps(champion) + "\n")
        labels = {"portfolio": portfolio, "model_version": str(version), "model_sha256": sha256}
        # JSON is YAML. BentoML writes it into the Bento, so nothing of this machine may be in it.
        options: dict[str, object] = {"service": ENTRY, "name": portfolio, "include": ["**"], "labels": labels}
        options["python"] = {"lock_packages": False}  # they are in a lock of our own, with hashes
        (source / "bentofile.yaml").write_text(json.dumps(options, indent=1) + "\n")

    def _build(self, source: Path, home: Path, built: Built) -> None:
        command = [sys.executable, "-m", "bentoml", "build", "--version", built.path.name]
        environment = {
            **plain_environment(home),
            "BENTOML_ENABLE_FEATURES": "no_image",  # the image has a Dockerfile of its own
            "LOAN_ENV": "development",  # it is imported, and answers nobody
        }
        ran = subprocess.run(
            command, cwd=source, env=environment, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
        )
        made = home / "bentos" / built.path.parent.name / built.path.name
        if ran.returncode or not made.is_dir():
            raise BentoError(f"BentoML did not build {built.tag}: {(ran.stderr or ran.stdout).strip()[-2_000:]}")
        if digest_of(made / "src") != built.digest:
            raise BentoError(f"BentoML left files out of {built.tag}, or added some")
        built.path.parent.mkdir(parents=True, exist_ok=True)
        partial = partial_path(self.home / "build")
        with discarded_on_error(partial):
            shutil.copytree(made, partial)
            _let_all_read(partial)
            remove(built.path)
            partial.rename(built.path)


def _let_all_read(folder: Path) -> None:
    """The image of a Bento runs as another user. Who may reach the Bento itself, the home decides."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def service_files(root: Path) -> list[Path]:
    """The files that the service needs: its folder, and the modules of the platform that it imports.

    Raises:
        BentoError: the service is missing.
    """
    own = _files(root / SERVICE)
    if root / SERVICE / "service.py" not in own:
        raise BentoError(f"{root} has no {SERVICE}/service.py: the installation is incomplete")
    found, waiting = set(own), [file for file in own if file.suffix == ".py"]
    while waiting:
        for file in _imported(waiting.pop(), root):
            if file not in found:
                found.add(file)
                waiting.append(file)
    return sorted(found)


def digest_of(folder: Path) -> str:
    """SHA-256 over the names and bytes of a folder's files, compiled bytecode left out."""
    total = hashlib.sha256()
    for file in _files(folder):
        total.update(f"{file.relative_to(folder).as_posix()}\n".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def plain_environment(home: Path) -> dict[str, str]:
    """Environment of a process of BentoML that shall depend on none of this one's settings.

    Args:
        home: its BENTOML_HOME.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, **QUIET, "BENTOML_HOME": str(home), "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and not LEFT_OUT & set(file.parts))


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """Files of our packages that a module imports, anywhere in it, with the packages that they are in."""
    for node in ast.walk(ast.parse(file.read_text())):
        names: Iterable[str] = ()
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] in PACKAGES:
                yield from _of_module(name.split("."), root)


def _of_module(parts: list[str], root: Path) -> Iterator[Path]:
    path = root.joinpath(*parts)
    packages = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    yield from (file for file in (*packages, path.with_suffix(".py")) if file.is_file())
