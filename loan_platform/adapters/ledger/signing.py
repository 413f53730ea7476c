"""The ledger's key: with it, a row that anything but the platform wrote is refused."""

import hmac
from pathlib import Path

from loan_platform.adapters.storage.secret_file import SecretFileError, create_secret, read_secret
from loan_platform.core.errors import ExplainedError


class LedgerKeyError(ExplainedError, ValueError):
    """The key file of the ledger cannot be used."""


class LedgerKey:
    """Signs rows of the ledger, and what a service keeps of the champion. Each purpose has a key of its own."""

    def __init__(self, secret: bytes) -> None:
        self._rows = hmac.digest(secret, b"loan_platform ledger row", "sha256")
        self._champions = hmac.digest(secret, b"loan_platform ledger champion", "sha256")

    @classmethod
    def read(cls, path: Path) -> "LedgerKey":
        """Read the key from its file.

        Raises:
            LedgerKeyError: the file is missing, cannot be read, or holds no key.
        """
        try:
            return cls(read_secret(path))
        except FileNotFoundError:
            raise LedgerKeyError(
                f"{path} does not exist. Create it with `loan-platform ledger create-key`, or correct LOAN_LEDGER_KEY."
            ) from None
        except SecretFileError as error:
            raise LedgerKeyError(str(error)) from None

    @staticmethod
    def create(path: Path) -> None:
        """Write a new key file that only its owner can read.

        Raises:
            LedgerKeyError: the file exists. Rows that it signed could not be verified without it.
        """
        try:
            create_secret(path)
        except FileExistsError:
            raise LedgerKeyError(
                f"{path} exists and is kept. Rows that it signed could not be verified without it."
            ) from None

    def sign(self, row_hash: str) -> str:
        """HMAC-SHA-256 of the hash of a row, which includes the hash of the previous row."""
        return hmac.digest(self._rows, row_hash.encode(), "sha256").hex()

    def signed(self, row_hash: str, signature: str) -> bool:
        """Whether a signature is that of this key."""
        return hmac.compare_digest(self.sign(row_hash).encode(), str(signature).encode())

    def sign_champion(self, portfolio: str, version: int, sha256: str) -> str:
        """HMAC-SHA-256 of what a copy of the champion claims to be."""
        return hmac.digest(self._champions, f"{portfolio} {version} {sha256}".encode(), "sha256").hex()

    def signed_champion(self, portfolio: str, version: int, sha256: str, signature: object) -> bool:
        """Whether a signature is that of this key for this champion."""
        return hmac.compare_digest(self.sign_champion(portfolio, version, sha256).encode(), str(signature).encode())
