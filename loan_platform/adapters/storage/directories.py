"""Immutable directories, such as model bundles, each named by its content.

`<root>/<name>` is a symbolic link to a directory in `<root>/.store/`, because a link can be replaced in one step.
`<root>/latest` is a file with the name of the directory published last.
"""

import filecmp
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from loan_platform.adapters.storage.atomic_files import (
    atomic_write,
    explained_disk_full,
    fsync,
    fsync_tree,
    make_directory,
    partial_path,
    remove,
    remove_abandoned,
)

_LATEST, _STORE = "latest", ".store"


class Directories:
    """The published directories below one root."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """Give an empty directory to fill and `publish`. An unpublished draft is deleted.

        Raises:
            DiskFullError: no space is left; published directories are unchanged.
        """
        make_directory(self.root / _STORE)
        remove_abandoned(self.root)
        remove_abandoned(self.root / _STORE)
        partial = partial_path(self.root / _STORE / "draft")
        partial.mkdir()
        try:
            with explained_disk_full(self.root / "draft"):
                yield partial
        finally:
            remove(partial)

    def publish(self, draft: Path, name: str, *, latest: bool = True) -> Path:
        """Publish a filled draft under a name derived from its content, and make it the latest unless told not to.

        An equal directory of that name is kept. A different one, such as a damaged one, is replaced.
        The replaced one stays readable until the next publication of its name.

        Raises:
            ValueError: the name has other characters than letters, digits, - and _.
        """
        final, store = self._named(name), self.root / _STORE
        fsync_tree(draft)
        with FileLock(store / f"{name}.lock"):
            if not _equal(draft, final):
                before = final.resolve().name
                stored = store / f"{name}~{_next_number(store, name)}"
                draft.rename(stored)
                fsync(store)
                _link(final, stored)
                for path in set(store.glob(f"{name}~*")) - {stored, store / before}:
                    remove(path)
        if latest:
            atomic_write(self.root / _LATEST, f"{name}\n")
        return final

    def latest(self) -> Path | None:
        """The directory published last; None before the first publication."""
        pointer = self.root / _LATEST
        return self._named(pointer.read_text().strip()) if pointer.is_file() else None

    def path(self, name: str) -> Path:
        """The published directory of a name.

        Raises:
            LookupError: no directory of this name is published.
        """
        if not (path := self._named(name)).is_dir():
            raise LookupError(f"there is no {name} in {self.root}")
        return path

    def _named(self, name: str) -> Path:
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum() or name == _LATEST:
            raise ValueError(f"{name!r} cannot name a directory: letters, digits, - and _ only")
        return self.root / name


def _next_number(store: Path, name: str) -> int:
    numbers = [int(path.name.rpartition("~")[2]) for path in store.glob(f"{name}~*")]
    return max(numbers, default=0) + 1


def _link(final: Path, stored: Path) -> None:
    partial = partial_path(final)
    partial.symlink_to(stored.relative_to(final.parent), target_is_directory=True)
    partial.replace(final)
    fsync(final.parent)


def _equal(one: Path, other: Path) -> bool:
    names = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    others = sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    return names == others and all(filecmp.cmp(one / n, other / n, shallow=False) for n in names)
