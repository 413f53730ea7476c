"""API keys with names and scopes. The key file holds their SHA-256, never a key.

A key is `lp_<id>_<secret>` with 256 random bits, so a fast hash is as safe as a slow one.
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

SCOPES = ("predict", "batch", "metrics")
MAX_KEYS = 2  # per name: the old and the new one while clients switch
CACHE_SECONDS = 0.5


class KeyFileError(ExplainedError, ValueError):
    """The key file cannot be used, or a key cannot be added to it."""


@dataclass(frozen=True)
class Key:
    """One key as the file holds it.

    Attributes:
        id: public part of the key.
        name: of its owner.
        scopes: what it allows.
        sha256: of the key.
        rate: rate limit such as 100/minute, or unlimited; None: the service's setting.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    rate: Annotated[str, Field(pattern=f"^({RATE})$")] | None = None


log = logging.getLogger(__name__)

_FILE = TypeAdapter(list[Key])


class KeyFile:
    """Keys in a JSON file that only its owner can read. Changes take effect within half a second.

    If the file is damaged while it is in use, an error is logged and the last known keys stay valid.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, Key] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._read_at = 0.0

    def keys(self) -> dict[str, Key]:
        """Keys by id. Empty if the file is missing.

        Raises:
            KeyFileError: the file is damaged.
        """
        now = time.monotonic()
        if self._stamp is not None and now - self._read_at < CACHE_SECONDS:
            return self._keys
        self._read_at = now
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
                log.error("%s The last known keys stay valid.", error)
        return self._keys

    def check_not_empty(self) -> None:
        """Check that there is a key.

        Raises:
            KeyFileError: there is no key, so every request would be rejected.
        """
        if not self.keys():
            raise KeyFileError(
                f"{self.path} has no key, so every request would be rejected. Create a key with make key NAME=..., or "
                "set LOAN_ENV=development, which needs no key on this machine."
            )

    def find(self, text: str) -> Key | None:
        """The key that a caller sent, compared in constant time; None if it is unknown."""
        prefix, _, rest = text.partition("_")
        key_id, _, _ = rest.partition("_")
        key = self.keys().get(key_id) if prefix == "lp" else None
        if key is None or not hmac.compare_digest(key.sha256, _hash(text)):
            return None
        return key

    def create(self, name: str, scopes: tuple[str, ...] = ("predict", "batch"), rate: str | None = None) -> str:
        """Create a key.

        Args:
            name: of its owner.
            scopes: what it allows, of `SCOPES`.
            rate: rate limit such as 100/minute, or unlimited; None: the service's setting.

        Returns:
            The key. It is not stored, so it cannot be shown again.

        Raises:
            KeyFileError: a scope or rate is unknown, or the name has two keys already.
        """
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise KeyFileError(f"{unknown[0]!r} is not a scope. Use one of {', '.join(SCOPES)}.")
        if rate is not None and not re.fullmatch(RATE, rate):
            raise KeyFileError(
                f"{rate!r} is not a rate. Pass RATE=100/minute (per second, minute, hour or day) or RATE=unlimited."
            )
        if not name.strip() or not name.isprintable():
            raise KeyFileError("The name of the key's owner is empty or not printable. Pass NAME=...")
        with self._changed() as keys:
            if len(same := [key.id for key in keys.values() if key.name == name]) >= MAX_KEYS:
                raise KeyFileError(f"{name} already has {MAX_KEYS} keys, {' and '.join(same)}. Revoke one first.")
            key_id = secrets.token_hex(4)
            text = f"lp_{key_id}_{secrets.token_urlsafe(32)}"
            keys[key_id] = Key(key_id, name, scopes, _hash(text), rate)
        return text

    def revoke(self, key_id: str) -> None:
        """Delete a key.

        Raises:
            KeyFileError: no key has this id.
        """
        with self._changed() as keys:
            if key_id not in keys:
                raise KeyFileError(f"{self.path} has no key {key_id!r}. It has: {', '.join(sorted(keys)) or 'none'}.")
            del keys[key_id]

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Key]]:
        """Give the keys for changes, to one process at a time. They are written unless the block fails."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            keys = self._read() if self.path.exists() else {}
            yield keys
            self._write(keys)

    def _read(self) -> dict[str, Key]:
        try:
            keys = _FILE.validate_json(self.path.read_bytes())
        except (ValueError, OSError) as error:  # its text may hold parts of the file
            raise KeyFileError(
                f"{self.path}: not a key file ({type(error).__name__}). Restore it, or delete it and create new keys."
            ) from None
        return {key.id: key for key in keys}

    def _write(self, keys: dict[str, Key]) -> None:
        before = os.umask(0o077)
        try:
            atomic_write(self.path, json.dumps([asdict(key) for key in keys.values()], indent=1) + "\n")
        finally:
            os.umask(before)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
