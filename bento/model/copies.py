"""Verified copies of models on this machine, and which of them answers at a start without the registry."""

import contextlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from bento.model.champion_ref import ChampionRef, Withdrawn
from loan_platform.adapters.ledger.signing import LedgerKey
from loan_platform.adapters.storage.atomic_files import atomic_write, partial_path, remove
from loan_platform.core.errors import NotMaterializedError
from loan_platform.core.scoring.bundle import BundleError

NEWEST = "newest.json"  # names the newest verified copy
WITHDRAWN = "withdrawn.json"  # names the withdrawn version, until another is promoted
KEPT = 3  # older copies that stay, for a rollback without the lake
_COPY = re.compile(r"[0-9a-f]{64}")


class ModelCopies:
    """Copies of a portfolio's models in one folder, each below its SHA-256.

    Args:
        folder: of the copies. The audit log and the jobs have folders here too.
        portfolio: its name, part of what is signed.
        key: signs the name of the newest copy, and refuses one without its signature. None: neither.
    """

    def __init__(self, folder: Path, portfolio: str, key: LedgerKey | None = None) -> None:
        self._folder, self._portfolio, self._key = folder, portfolio, key

    def path(self, sha256: object) -> Path:
        """The folder of a copy.

        Raises:
            BundleError: the name is no SHA-256, and could be that of any folder.
        """
        if not (isinstance(sha256, str) and _COPY.fullmatch(sha256)):
            raise BundleError(f"{sha256!r} is no SHA-256 of a model")
        return self._folder / sha256

    def make(self, ref: ChampionRef) -> Path:
        """Copy a model, so that the verified bytes are the bytes in use, whatever happens to the lake.

        Raises:
            NotMaterializedError: the model is not in the lake.
        """
        copy = self.path(ref.sha256)
        if not copy.is_dir():
            self._folder.mkdir(parents=True, exist_ok=True)
            partial = partial_path(copy)
            try:
                shutil.copytree(ref.bundle, partial)
                with contextlib.suppress(OSError):  # another process may have written it meanwhile
                    partial.rename(copy)
            except FileNotFoundError as error:
                raise NotMaterializedError(
                    f"model {ref.sha256[:12]} is not in the lake: train and promote a model"
                ) from error
            finally:
                remove(partial)
        return copy

    def discard(self, sha256: str) -> None:
        """Delete a damaged copy, so that it is copied again."""
        with contextlib.suppress(BundleError):  # it names no copy
            remove(self.path(sha256))

    def remember(self, version: int, sha256: str) -> None:
        """Name the copy that answers, and delete those beyond `KEPT`.

        Raises:
            OSError: the folder cannot be written; DiskFullError if it is full.
        """
        newest: dict[str, Any] = {"version": version, "sha256": sha256}
        if self._key is not None:
            newest["signature"] = self._key.sign_champion(self._portfolio, version, sha256)
        atomic_write(self._folder / NEWEST, json.dumps(newest) + "\n")
        os.utime(self.path(sha256))
        copies = [path for path in self._folder.iterdir() if _COPY.fullmatch(path.name) and path.name != sha256]
        for old in sorted(copies, key=lambda path: path.stat().st_mtime)[:-KEPT]:
            remove(old)

    def newest(self) -> ChampionRef | None:
        """The copy that answered last; None without one.

        Raises:
            BundleError: it is not signed with the key, or names no copy.
            OSError, ValueError, KeyError, TypeError: its file cannot be read.
        """
        try:
            said: dict[str, Any] = json.loads((self._folder / NEWEST).read_bytes())
        except FileNotFoundError:
            return None
        ref = ChampionRef(int(said["version"]), said["sha256"], self.path(said["sha256"]))
        claimed = (self._portfolio, ref.version, ref.sha256)  # nothing else says so without the registry
        if self._key and not self._key.signed_champion(*claimed, said.get("signature")):
            raise BundleError(f"{self._folder / NEWEST} is not signed with LOAN_LEDGER_KEY: the registry must say")
        return ref

    def withdraw(self, told: Withdrawn) -> None:
        """Remember a withdrawal, and forget the newest copy.

        Raises:
            OSError: the folder cannot be written; DiskFullError if it is full.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        atomic_write(self._folder / WITHDRAWN, json.dumps(told._asdict()) + "\n")
        remove(self._folder / NEWEST)

    def withdrawal(self, version: int) -> Withdrawn | None:
        """What is known from an earlier process, if a version or a later one was withdrawn."""
        try:
            told = Withdrawn(**json.loads((self._folder / WITHDRAWN).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None
        return told if version <= told.version else None

    def forget_withdrawal(self) -> None:
        """Another version was promoted."""
        with contextlib.suppress(OSError):
            remove(self._folder / WITHDRAWN)
