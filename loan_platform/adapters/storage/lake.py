"""The lake: every asset's current rows as one Parquet file, published in one step.

`<root>/<portfolio>/<asset>/[<partition>/]part-0.parquet` is the current file, for any tool. Behind it, in
`<root>/<portfolio>/.store/`, each version is an immutable file named by its SHA-256, and one manifest names
the current version of all assets that are published together. Replacing the manifest is the publication:
our own readers go through it, so they see all outputs of a run or none. The version before stays, for
readers that have just looked it up.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from filelock import FileLock

from loan_platform.adapters.storage.atomic_files import (
    atomic_write,
    discarded_on_error,
    explained_disk_full,
    make_directory,
    partial_path,
    remove_abandoned,
)
from loan_platform.adapters.storage.versions import (
    MANIFEST,
    Published,
    commit,
    current,
    current_together,
    expose,
    keep,
)
from loan_platform.core.errors import ExplainedError

_LOCK = ".lock"  # a leading dot: no partition is named so
_PUBLIC = "part-0.parquet"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class NotPublishedError(ExplainedError, LookupError):
    """An asset or partition has no published file; the message says which and what there is."""


class Lake:
    """Parquet files of all portfolios below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def publish(self, portfolio: str, asset: str, partition: str | None = None) -> Iterator[Path]:
        """Give a path to write one Parquet file to; it is published when the block ends well.

        Raises:
            DiskFullError: no space is left; what was published before is untouched.
        """
        with self.publish_together(portfolio, (asset,), partition) as paths:
            yield paths[asset]

    @contextmanager
    def publish_together(
        self, portfolio: str, assets: tuple[str, ...], partition: str | None = None
    ) -> Iterator[dict[str, Path]]:
        """Give one path per asset to write to; all are published in one step when the block ends well.

        The same assets must always be published together: the first one's manifest speaks for all.

        Raises:
            DiskFullError: no space is left; what was published before is untouched.
            FileNotFoundError: the block wrote no file for one of the assets.
        """
        stores = {asset: self._store(portfolio, asset, partition) for asset in assets}
        for store in stores.values():
            make_directory(store)
            remove_abandoned(store)
        partials = {asset: partial_path(store / "part") for asset, store in stores.items()}
        target = self._public(portfolio, assets[0], partition)
        with explained_disk_full(target), discarded_on_error(*partials.values()):
            yield partials
            with FileLock(stores[assets[0]] / _LOCK):
                versions = {asset: keep(partials[asset]) for asset in assets}
                commit(stores, versions)
                for asset in assets:
                    expose(versions[asset].path, self._public(portfolio, asset, partition))

    def write(self, frame: pl.DataFrame, portfolio: str, asset: str, partition: str | None = None) -> Published:
        """Publish a frame. The same rows give the same bytes.

        Raises:
            DiskFullError: no space is left; what was published before is untouched.
        """
        with self.publish(portfolio, asset, partition) as path:
            frame.write_parquet(path, statistics=True)
        return self.published(portfolio, asset, partition)

    def published(self, portfolio: str, asset: str, partition: str | None = None) -> Published:
        """The current version: path of an immutable file, SHA-256, size.

        Raises:
            NotPublishedError: there is none.
        """
        version = current(self._store(portfolio, asset, partition))
        if version is None:
            where = f"{portfolio}/{asset}" + (f", partition {partition}" if partition else "")
            there = ", ".join(self.partitions(portfolio, asset)) or "none"
            raise NotPublishedError(
                f"{where} has no published data below {self.root} (partitions published: {there}). "
                f"Materialize {asset} first."
            )
        return version

    def published_together(
        self, portfolio: str, assets: tuple[str, ...], partition: str | None = None
    ) -> dict[str, Published]:
        """Current versions of assets that are published together, all from one publication.

        Raises:
            NotPublishedError: there is none.
        """
        found = current_together({asset: self._store(portfolio, asset, partition) for asset in assets})
        if missing := [asset for asset in assets if asset not in found]:
            raise NotPublishedError(f"{portfolio}: {', '.join(missing)} not published with {assets[0]}")
        return found

    def exists(self, portfolio: str, asset: str, partition: str | None = None) -> bool:
        """Whether the asset, or this partition of it, was ever published."""
        return current(self._store(portfolio, asset, partition)) is not None

    def path(self, portfolio: str, asset: str, partition: str | None = None) -> Path:
        """The current version's file. Its content never changes; a later version has another path.

        Raises:
            NotPublishedError: there is none.
        """
        return self.published(portfolio, asset, partition).path

    def sha256(self, portfolio: str, asset: str, partition: str | None = None) -> str:
        """SHA-256 of the current version's file.

        Raises:
            NotPublishedError: there is none.
        """
        return self.published(portfolio, asset, partition).sha256

    def scan(self, portfolio: str, asset: str, partition: str | None = None) -> pl.LazyFrame:
        """The current version's rows, read when collected.

        Raises:
            NotPublishedError: there is none.
        """
        return pl.scan_parquet(self.path(portfolio, asset, partition))

    def read(self, portfolio: str, asset: str, partition: str | None = None) -> pl.DataFrame:
        """The current version's rows.

        Raises:
            NotPublishedError: there is none.
        """
        for _ in range(3):
            try:
                return pl.read_parquet(self.path(portfolio, asset, partition))
            except FileNotFoundError:  # published twice between the look-up and the reading
                continue
        return pl.read_parquet(self.path(portfolio, asset, partition))

    def partitions(self, portfolio: str, asset: str) -> list[str]:
        """Names of the published partitions, sorted."""
        store = self._store(portfolio, asset, None)
        found = (path.parent for path in store.glob(f"*/{MANIFEST}"))
        return sorted(folder.name for folder in found if current(folder) is not None)

    def point_latest(self, portfolio: str, asset: str, partition: str) -> None:
        """Name a partition in the asset's file `latest`, in one step."""
        atomic_write(self.root / _safe(portfolio) / _safe(asset) / "latest", f"{_safe(partition)}\n")

    def latest(self, portfolio: str, asset: str) -> str | None:
        """The partition that `point_latest` named last."""
        pointer = self.root / _safe(portfolio) / _safe(asset) / "latest"
        return pointer.read_text().strip() if pointer.is_file() else None

    def _store(self, portfolio: str, asset: str, partition: str | None) -> Path:
        return self.root.joinpath(_safe(portfolio), ".store", *_inside(asset, partition))

    def _public(self, portfolio: str, asset: str, partition: str | None) -> Path:
        return self.root.joinpath(_safe(portfolio), *_inside(asset, partition), _PUBLIC)


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a portfolio, asset or partition: letters, digits, _ . - only")
    return name


def _inside(asset: str, partition: str | None) -> tuple[str, ...]:
    return (_safe(asset), _safe(partition)) if partition is not None else (_safe(asset),)


def write_in_slices(slices: Iterable[pl.DataFrame], path: Path) -> int:
    """Write frames of one schema to one Parquet file, one in memory at a time; returns the rows written."""
    import pyarrow.parquet as pq

    rows, writer = 0, None
    try:
        for frame in slices:
            table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
            if writer is None:
                writer = pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1)
            writer.write_table(table)
            rows += frame.height
    finally:
        if writer is not None:
            writer.close()
    return rows
