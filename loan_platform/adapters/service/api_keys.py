"""API keys: several, each with a name and scopes; the file holds their SHA-256, never a key.

A key is `lp_<id>_<secret>` with 256 random bits, so a plain hash is as good as a slow one.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from filelock import FileLock
from pydantic import Field, TypeAdapter

from loan_platform.adapters.storage.atomic_files import atomic_write
from loan_platform.core.errors import ExplainedError
from loan_platform.settings.service import RATE

SCOPES = ("predict", "batch", "admin")
ACTIVE = 2  # keys of one name: the old one and the new one while clients change over
FRESH_SECONDS = 0.5


class KeyFileError(ExplainedError, ValueError):
    """The file of keys cannot be used, or a key cannot be added to it."""


@dataclass(frozen=True)
class Key:
    """One key as the file holds it; without a `rate` it has the service's."""

    id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    rate: Annotated[str, Field(pattern=f"^({RATE})$")] | None = None


log = logging.getLogger(__name__)

_FILE = TypeAdapter(list[Key])


class KeyFile:
    """Keys in a JSON file, readable by its owner alone; changes are seen within half a second.

    A file that is damaged while it is in use is told in the log, and the keys that were known go on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, Key] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._looked = 0.0

    def keys(self) -> dict[str, Key]:
        """Keys by id; none without a file.

        Raises:
            KeyFileError: the file is not what this class writes.
        """
        now = time.monotonic()
        if self._stamp is not None and now - self._looked < FRESH_SECONDS:
            return self._keys
        self._looked = now
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._keys, self._stamp = {}, (0, 0, 0)
            return self._keys
        stamp = (status.st_mtime_ns, status.st_ino, status.st_size)
        if stamp != self._stamp:
            try:
                self._keys, self._stamp = self._read(), stamp
            except KeyFileError as error:
                if self._stamp is None:
                    raise
                log.error("%s The keys that were known go on.", error)
        return self._keys

    def check_not_empty(self) -> None:
        """Look whether anybody could ask.

        Raises:
            KeyFileError: there is no key.
        """
        if not self.keys():
            raise KeyFileError(
                f"{self.path} holds no key, so nobody could ask: create one with make key NAME=..., or set "
                "LOAN_ENV=development, where this machine may ask without a key."
            )

    def find(self, text: str) -> Key | None:
        """The key that a caller sent, compared in constant time; None where it is none of ours."""
        prefix, _, rest = text.partition("_")
        key_id, _, _ = rest.partition("_")
        key = self.keys().get(key_id) if prefix == "lp" else None
        if key is None or not hmac.compare_digest(key.sha256, _hash(text)):
            return None
        return key

    def create(self, name: str, scopes: tuple[str, ...] = ("predict", "batch"), rate: str | None = None) -> str:
        """A new key, told once.

        Args:
            name: whose it is.
            scopes: what it opens.
            rate: how often it may ask, such as 100/minute, or unlimited; None: as the service's setting says.

        Raises:
            KeyFileError: an unknown scope or rate, or the name has two keys already.
        """
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise KeyFileError(f"{unknown[0]!r} is no scope. Known are {', '.join(SCOPES)}.")
        if rate is not None and not re.fullmatch(RATE, rate):
            raise KeyFileError(
                f"{rate!r} is no rate. One is 100/minute (second, minute, hour, day), or unlimited: pass RATE=..."
            )
        if not name.strip() or not name.isprintable():
            raise KeyFileError("The name of a key's owner is empty or cannot be printed: pass NAME=...")
        with self._changed() as keys:
            if len(same := [key.id for key in keys.values() if key.name == name]) >= ACTIVE:
                raise KeyFileError(f"{name} has {ACTIVE} keys already, {' and '.join(same)}: revoke one first.")
            key_id = secrets.token_hex(4)
            text = f"lp_{key_id}_{secrets.token_urlsafe(32)}"
            keys[key_id] = Key(key_id, name, scopes, _hash(text), rate)
        return text

    def revoke(self, key_id: str) -> None:
        """Take a key away.

        Raises:
            KeyFileError: there is none of that id.
        """
        with self._changed() as keys:
            if key_id not in keys:
                raise KeyFileError(f"{self.path} has no key {key_id!r}. It has: {', '.join(sorted(keys)) or 'none'}.")
            del keys[key_id]

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Key]]:
        """Give the keys to change, one process at a time; they are written unless an error is raised."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            keys = self._read() if self.path.exists() else {}
            yield keys
            self._write(keys)

    def _read(self) -> dict[str, Key]:
        try:
            keys = _FILE.validate_json(self.path.read_bytes())
        except (ValueError, OSError) as error:  # whose text may hold what is in the file
            raise KeyFileError(f"{self.path}: not a file of keys ({type(error).__name__}): create keys anew.") from None
        return {key.id: key for key in keys}

    def _write(self, keys: dict[str, Key]) -> None:
        before = os.umask(0o077)
        try:
            atomic_write(self.path, json.dumps([asdict(key) for key in keys.values()], indent=1) + "\n")
        finally:
            os.umask(before)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
