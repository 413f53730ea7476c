"""The audit key: it encrypts inputs, hashes them with a secret, and signs the heads of chains."""

import base64
import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import Any, cast

from loan_platform.adapters.storage.secret_file import SecretFileError, create_secret, read_secret
from loan_platform.core.audit.hash_chain import Head
from loan_platform.core.errors import ExplainedError


class AuditKeyError(ExplainedError, ValueError):
    """The key file cannot be used, or an audit record was encrypted with another key."""


class AuditKey:
    """One secret. Each purpose (encryption, hash, MAC, id) uses its own key derived from it.

    Attributes:
        id: identifies the key in the audit records without revealing it.
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
        """Read the key from its file.

        Raises:
            AuditKeyError: the file is missing, cannot be read, or holds no audit key.
        """
        try:
            secret = read_secret(path)
        except FileNotFoundError:
            raise AuditKeyError(
                f"{path} does not exist. Create an audit key with make audit-key, or set LOAN_AUDIT_KEY to its file."
            ) from None
        except SecretFileError as error:
            raise AuditKeyError(str(error)) from None
        return cls(secret)

    @staticmethod
    def create(path: Path) -> None:
        """Write a new key file that only its owner can read.

        Raises:
            AuditKeyError: the file exists. Without it, records encrypted with it could not be read.
        """
        try:
            create_secret(path)
        except FileExistsError:
            raise AuditKeyError(
                f"{path} exists and is kept. Audit records encrypted with it could not be read without it."
            ) from None

    def hash(self, inputs: bytes) -> str:
        """HMAC-SHA-256 of inputs. Without the key nobody can test guesses of the inputs against it."""
        return hmac.digest(self._hash, inputs, "sha256").hex()

    def mac(self, head: Head) -> str:
        """HMAC-SHA-256 of a chain's head. Without the key nobody can forge the end of a chain."""
        return hmac.digest(self._mac, f"{head.n} {head.sha256}".encode(), "sha256").hex()

    def encrypt(self, inputs: bytes, request_id: str) -> str:
        """Encrypt with AES-256-GCM, bound to the request id; nonce and ciphertext in base64."""
        nonce = os.urandom(12)
        return base64.b64encode(nonce + self._aes().encrypt(nonce, inputs, request_id.encode())).decode()

    def decrypt(self, text: str, request_id: str) -> dict[str, Any]:
        """The JSON object that `encrypt` was given.

        Raises:
            AuditKeyError: the text is of another key or request, or was changed.
        """
        from cryptography.exceptions import InvalidTag

        try:
            box = base64.b64decode(text, validate=True)
            return cast("dict[str, Any]", json.loads(self._aes().decrypt(box[:12], box[12:], request_id.encode())))
        except (InvalidTag, ValueError):
            raise AuditKeyError(
                f"The inputs of request {request_id} cannot be decrypted with key {self.id}. Use the key that "
                "encrypted them."
            ) from None

    def _aes(self) -> Any:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise AuditKeyError("Encrypted inputs need the package cryptography. Install it.") from error
        return AESGCM(self._box)


def plain_hash(inputs: bytes) -> str:
    """SHA-256 of inputs, for records that hold the inputs unencrypted anyway."""
    return hashlib.sha256(inputs).hexdigest()
