"""The secret of the records: encrypts inputs, and makes hashes of them that cannot be guessed from likely inputs."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import Any, cast

from loan_platform.core.audit.hash_chain import Head
from loan_platform.core.errors import ExplainedError

BYTES = 32


class AuditKeyError(ExplainedError, ValueError):
    """The file of the key cannot be used, or a record was encrypted with another key."""


class AuditKey:
    """One secret; what it is used for has keys of its own, derived from it.

    Attributes:
        id: names the key in the records, without telling it.
    """

    def __init__(self, secret: bytes) -> None:
        self._box = self._derived(secret, b"inputs")
        self._hash = self._derived(secret, b"hash")
        self._mac = self._derived(secret, b"head")
        self.id = self._derived(secret, b"id").hex()[:8]

    @staticmethod
    def _derived(secret: bytes, purpose: bytes) -> bytes:
        return hmac.digest(secret, b"loan_platform audit " + purpose, "sha256")

    @classmethod
    def read(cls, path: Path) -> "AuditKey":
        """The key of a file.

        Raises:
            AuditKeyError: there is none, or it holds something else.
        """
        try:
            secret = base64.b64decode(path.read_bytes(), validate=False)
        except FileNotFoundError:
            raise AuditKeyError(
                f"{path} does not exist: create a key for the records with make audit-key, or name its file in "
                "LOAN_AUDIT_KEY."
            ) from None
        except (OSError, ValueError) as error:
            raise AuditKeyError(f"{path}: cannot be read ({type(error).__name__}).") from None
        if len(secret) != BYTES:
            raise AuditKeyError(f"{path}: not a key of the records, which has {BYTES} bytes in base64.")
        return cls(secret)

    @staticmethod
    def create(path: Path) -> None:
        """Write a new key, readable by its owner alone.

        Raises:
            AuditKeyError: there is a file already; records encrypted with it could not be read without it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise AuditKeyError(f"{path} exists: it is kept, or records could not be read any more.") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def hash(self, inputs: bytes) -> str:
        """A hash of inputs: the same for the same ones, and not to be found by trying likely ones without the key."""
        return hmac.digest(self._hash, inputs, "sha256").hex()

    def mac(self, head: Head) -> str:
        """Who has not the key cannot write another end of a chain."""
        return hmac.digest(self._mac, f"{head.n} {head.sha256}".encode(), "sha256").hex()

    def encrypted(self, inputs: bytes, request_id: str) -> str:
        """AES-256-GCM, bound to the request, in base64."""
        nonce = os.urandom(12)
        return base64.b64encode(nonce + self._aes().encrypt(nonce, inputs, request_id.encode())).decode()

    def decrypted(self, text: str, request_id: str) -> dict[str, Any]:
        """What `encrypted` took.

        Raises:
            AuditKeyError: another key, another request, or it was changed.
        """
        from cryptography.exceptions import InvalidTag

        try:
            box = base64.b64decode(text, validate=True)
            return cast("dict[str, Any]", json.loads(self._aes().decrypt(box[:12], box[12:], request_id.encode())))
        except (InvalidTag, ValueError):
            raise AuditKeyError(f"the inputs of request {request_id} cannot be decrypted with key {self.id}") from None

    def _aes(self) -> Any:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise AuditKeyError(
                "encrypted inputs need the package cryptography: install it beside the service."
            ) from error
        return AESGCM(self._box)


def plain_hash(inputs: bytes) -> str:
    """SHA-256, where the inputs stand beside it anyway."""
    return hashlib.sha256(inputs).hexdigest()
