"""Objects of Google Cloud Storage as local files."""

import fnmatch
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loan_platform.core.errors import SourceError

PATIENCE_S = 30.0  # Google's client would try for two minutes
SCHEME = "gs://"
_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"


@dataclass(frozen=True)
class GcsAccess:
    """How Google Cloud Storage is reached.

    Attributes:
        project: Google Cloud project; None: the project of the credentials.
        credentials: path of a credentials file; None: Google's application default credentials.
    """

    project: str | None = None
    credentials: str | None = None

    def client(self) -> Any:
        """The `google.cloud.storage.Client` of dagster-gcp's `GCSResource`.

        Raises:
            GoogleAuthError: there are no usable credentials.
        """
        from dagster_gcp import GCSResource  # imports BigQuery and pandas, 4 s

        with _application_credentials(self.credentials):
            return GCSResource(project=self.project).get_client()


def is_in_bucket(source: str) -> bool:
    """Whether a source is a gs:// URI."""
    return source.startswith(SCHEME)


def download(uri: str, cache: Path, hint: str, max_bytes: int, access: GcsAccess | None = None) -> list[Path]:
    """Local copies of the objects that `uri` (gs://bucket/name, globs allowed) matches, sorted by name.

    An object generation is downloaded once. STORAGE_EMULATOR_HOST is honoured by Google's client.

    Raises:
        SourceError: no credentials, no bucket, no such object, larger than `max_bytes`, or no connection.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    bucket, _, name = uri.removeprefix(SCHEME).partition("/")
    if not bucket or not name:
        raise SourceError(uri, "names no object", f"Write {SCHEME}bucket/name; the name may be a glob.")
    try:
        client = (access or GcsAccess()).client()
        blobs = _matching(client, bucket, name)
        if not blobs:
            raise SourceError(uri, "matches no object", f"{hint}.")
        return [_copy(blob, cache, max_bytes) for blob in blobs]
    except (GoogleAPIError, GoogleAuthError, RequestException, OSError) as error:
        kind = type(error).__name__
        raise SourceError(uri, f"cannot be read ({kind})", f"Check bucket, rights and network. {hint}.") from error


@contextmanager
def _application_credentials(path: str | None) -> Iterator[None]:
    """dagster-gcp's resource takes no credentials: the client reads this variable when it is made."""
    before = os.environ.get(_CREDENTIALS)
    if path is not None:
        os.environ[_CREDENTIALS] = path
    try:
        yield
    finally:
        if before is not None:
            os.environ[_CREDENTIALS] = before
        elif path is not None:
            os.environ.pop(_CREDENTIALS, None)


def _matching(client: Any, bucket: str, name: str) -> list[Any]:
    from google.cloud.storage.retry import DEFAULT_RETRY

    prefix = re.split(r"[*?\[]", name, maxsplit=1)[0]
    retry = DEFAULT_RETRY.with_timeout(PATIENCE_S)
    blobs = client.list_blobs(bucket, prefix=prefix, retry=retry, timeout=PATIENCE_S)
    found = [blob for blob in blobs if blob.name == name or fnmatch.fnmatchcase(blob.name, name)]
    return sorted((blob for blob in found if not blob.name.endswith("/")), key=lambda blob: blob.name)


def _copy(blob: Any, cache: Path, max_bytes: int) -> Path:
    if (blob.size or 0) > max_bytes:
        raise SourceError(
            f"{SCHEME}{blob.bucket.name}/{blob.name}",
            f"is larger than the allowed {max_bytes:,} bytes",
            "Raise `max_bytes` of the source if the size is right.",
        )
    key = hashlib.sha256(f"{blob.bucket.name}/{blob.name}#{blob.generation}".encode()).hexdigest()[:16]
    target = cache / key / Path(blob.name).name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            blob.download_to_filename(str(partial))
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    return target
