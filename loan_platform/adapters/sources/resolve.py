"""Where raw files come from: a path, a glob or a gs:// URI becomes local files."""

import glob
from pathlib import Path

from loan_platform.adapters.sources.gcs import GcsAccess, download, is_in_bucket
from loan_platform.core.book.policies import Source
from loan_platform.core.errors import SourceError

GLOB_CHARACTERS = frozenset("*?[")


def resolve(
    source: Source,
    *,
    home: Path,
    cache: Path,
    override: str | None = None,
    variable: str | None = None,
    gcs: GcsAccess | None = None,
) -> list[Path]:
    """Local files of a source, sorted by path.

    Args:
        source: path, glob or gs:// URI; a relative path is below `home`.
        home: the platform home.
        cache: directory for downloaded objects, one folder per object generation.
        override: what to read instead of `source.path`; a relative path is below the working directory.
        variable: name of the environment variable that sets `override`, for error messages.
        gcs: project and credentials for gs:// URIs; default: Google's application default credentials.

    Raises:
        SourceError: nothing is there, or it is no file, or the bucket cannot be read.
    """
    text = override or source.path
    hint = f"Check the path, or set {variable} to another one" if variable else "Check the path"
    if is_in_bucket(text):
        return download(text, cache, hint, source.max_bytes, gcs)
    path = Path(text).expanduser()
    return _local(path if path.is_absolute() or override else home / path, hint)


def absolute(source: str) -> str:
    """A source that is the same from every folder: an absolute path, or the URI as it is."""
    return source if is_in_bucket(source) else str(Path(source).expanduser().absolute())


def _local(path: Path, hint: str) -> list[Path]:
    if path.is_dir():
        raise SourceError(str(path), "is a directory", f"Name its files, as in {path.name}/*.csv. {hint}.")
    if path.exists() and not path.is_file():
        raise SourceError(str(path), "is no regular file", "A pipe or device cannot be read twice: name a file.")
    if path.exists():  # a literal name wins over a glob: a file may be called `**`
        return [path]
    if not GLOB_CHARACTERS & set(str(path)):
        raise SourceError(str(path), "does not exist", f"{hint}.")
    found = sorted(Path(name) for name in glob.glob(str(path), recursive=True) if Path(name).is_file())  # noqa: PTH207
    if not found:
        raise SourceError(str(path), "matches no file", f"{hint}.")
    return found
