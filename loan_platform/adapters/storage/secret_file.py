"""Files with one secret of 32 random bytes in base64, which only their owner can read."""

import base64
import os
import secrets
from pathlib import Path

BYTES = 32


class SecretFileError(ValueError):
    """The file cannot be used. The message names the file, and says what is wrong with it."""


def read_secret(path: Path) -> bytes:
    """The secret of a file.

    Raises:
        FileNotFoundError: there is no such file.
        SecretFileError: the file cannot be read, or holds no secret of this length.
    """
    try:
        secret = base64.b64decode(path.read_bytes(), validate=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise SecretFileError(f"{path}: cannot be read ({type(error).__name__}). Check its permissions.") from None
    if len(secret) != BYTES:
        raise SecretFileError(f"{path}: not a key. A key has {BYTES} bytes in base64; restore it from its backup.")
    return secret


def create_secret(path: Path) -> None:
    """Write a new secret to a file that only its owner can read.

    Raises:
        FileExistsError: the file exists, and is kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(BYTES)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
