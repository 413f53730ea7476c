"""The lake: the current rows of every asset as one Parquet file, published in one step.

`<root>/<portfolio>/<asset>/[<partition>/]part-0.parquet` is the current file, for any tool. Below
`<root>/<portfolio>/.store/` each version is an immutable file named by its SHA-256. One manifest names the current
version of all assets that are published together. Publication is the replacement of this manifest, so a reader sees
all outputs of a run or none. The previous version is kept for readers that have just looked it up.

Rows that a blocking check has refused are in `<root>/<portfolio>/refused/<asset>/[<partition>/]part-0.parquet` until
the asset is published again. No asset reads them.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from filelock import FileLock

from loan_platform.adapters.storage.atomic_files import (
    atomic_write,
    explained_disk_full,
    make_directory,
    partial_path,
    remove,
    remove_abandoned,
)
from loan_platform.adapters.storage.candidates import WRITER, Candidates
from loan_platform.adapters.storage.versions import MANIFEST, Published, current_version
from loan_platform.core.errors import ExplainedError

_REFUSED = "refused"
_PUBLIC = "part-0.parquet"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class NotPublishedError(ExplainedError, LookupError):
    """An asset or partition has no published file. The message lists the published partitions."""


class Lake:
    """Parquet files of all portfolios below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def publish(self, portfolio: str, asset: str, partition: str | None = None) -> Iterator[Path]:
        """Give a path to write one Parquet file to. The file is published when the block succeeds.

        Raises:
            DiskFullError: no space is left; the published version is unchanged.
        """
        with self.publish_together(portfolio, (asset,), partition) as paths:
            yield paths[asset]

    @contextmanager
    def publish_together(
        self, portfolio: str, assets: tuple[str, ...], partition: str | None = None
    ) -> Iterator[dict[str, Path]]:
        """Give one path per asset to write to. All are published in one step when the block succeeds.

        The same assets must always be published together, because the manifest of the first one holds all versions.

        Raises:
            DiskFullError: no space is left; the published versions are unchanged.
            FileNotFoundError: the block wrote no file for one of the assets.
        """
        with self.candidates(portfolio, assets, partition) as written:
            yield dict(written.paths)
            written.publish()

    @contextmanager
    def candidates(self, portfolio: str, assets: tuple[str, ...], partition: str | None = None) -> Iterator[Candidates]:
        """Give one path per asset to write to. The block checks the files, then publishes or refuses them.

        Files that it neither publishes nor refuses are deleted.

        Raises:
            DiskFullError: no space is left; the published versions are unchanged.
        """
        stores = {asset: self._store(portfolio, asset, partition) for asset in assets}
        for store in stores.values():
            make_directory(store)
            remove_abandoned(store)
        public = {asset: self._public(portfolio, asset, partition) for asset in assets}
        refused = {asset: self.refused_path(portfolio, asset, partition) for asset in assets}
        partials = {asset: partial_path(store / "part") for asset, store in stores.items()}
        with explained_disk_full(public[assets[0]]):
            try:
                yield Candidates(partials, stores, public, refused)
            finally:
                for partial in partials.values():
                    remove(partial)

    @contextmanager
    def one_writer(self, portfolio: str, asset: str, partition: str | None = None) -> Iterator[None]:
        """Let one run at a time read the asset's rows and publish others that build on them. Other runs wait."""
        store = self._store(portfolio, asset, partition)
        make_directory(store)
        with FileLock(store / WRITER):
            yield

    def write(self, frame: pl.DataFrame, portfolio: str, asset: str, partition: str | None = None) -> Published:
        """Publish a frame. The same rows give the same bytes.

        Raises:
            DiskFullError: no space is left; the published version is unchanged.
        """
        with self.publish(portfolio, asset, partition) as path:
            frame.write_parquet(path, statistics=True)
        return self.published(portfolio, asset, partition)

    def published(self, portfolio: str, asset: str, partition: str | None = None) -> Published:
        """The current version: path of an immutable file, SHA-256, size.

        Raises:
            NotPublishedError: nothing was published yet.
        """
        version = current_version(self._store(portfolio, asset, partition))
        if version is None:
            where = f"{portfolio}/{asset}" + (f", partition {partition}" if partition else "")
            partitions = ", ".join(self.partitions(portfolio, asset)) or "none"
            raise NotPublishedError(
                f"{where} has no published data below {self.root} (partitions published: {partitions}). "
                f"Materialize {asset} first."
            )
        return version

    def exists(self, portfolio: str, asset: str, partition: str | None = None) -> bool:
        """Whether the asset, or this partition of it, was published."""
        return current_version(self._store(portfolio, asset, partition)) is not None

    def path(self, portfolio: str, asset: str, partition: str | None = None) -> Path:
        """Path of the current version. Its content never changes; a later version has another path.

        Raises:
            NotPublishedError: nothing was published yet.
        """
        return self.published(portfolio, asset, partition).path

    def sha256(self, portfolio: str, asset: str, partition: str | None = None) -> str:
        """SHA-256 of the current version's file.

        Raises:
            NotPublishedError: nothing was published yet.
        """
        return self.published(portfolio, asset, partition).sha256

    def scan(self, portfolio: str, asset: str, partition: str | None = None) -> pl.LazyFrame:
        """The current version's rows, read when collected.

        Raises:
            NotPublishedError: nothing was published yet.
        """
        return pl.scan_parquet(self.path(portfolio, asset, partition))

    def read(self, portfolio: str, asset: str, partition: str | None = None) -> pl.DataFrame:
        """The current version's rows.

        Raises:
            NotPublishedError: nothing was published yet.
        """
        for _ in range(3):
            try:
                return pl.read_parquet(self.path(portfolio, asset, partition))
            except FileNotFoundError:  # published twice between look-up and read
                continue
        return pl.read_parquet(self.path(portfolio, asset, partition))

    def partitions(self, portfolio: str, asset: str) -> list[str]:
        """Names of the published partitions, sorted."""
        store = self._store(portfolio, asset, None)
        found = (path.parent for path in store.glob(f"*/{MANIFEST}"))
        return sorted(folder.name for folder in found if current_version(folder) is not None)

    def point_latest(self, portfolio: str, asset: str, partition: str) -> None:
        """Write the name of a partition to the asset's file `latest`, for people and other tools."""
        atomic_write(self.root / _safe(portfolio) / _safe(asset) / "latest", f"{_safe(partition)}\n")

    def refused_path(self, portfolio: str, asset: str, partition: str | None = None) -> Path:
        """Where the newest refused rows of the asset are; there is no file if none were since it was published."""
        return self.root.joinpath(_safe(portfolio), _REFUSED, *_inside(asset, partition), _PUBLIC)

    def _store(self, portfolio: str, asset: str, partition: str | None) -> Path:
        return self.root.joinpath(_safe(portfolio), ".store", *_inside(asset, partition))

    def _public(self, portfolio: str, asset: str, partition: str | None) -> Path:
        return self.root.joinpath(_safe(portfolio), *_inside(asset, partition), _PUBLIC)


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a portfolio, asset or partition. Use at most 100 letters, digits, _ . and -."
        )
    return name


def _inside(asset: str, partition: str | None) -> tuple[str, ...]:
    return (_safe(asset), _safe(partition)) if partition is not None else (_safe(asset),)


def write_in_slices(slices: Iterable[pl.DataFrame], path: Path) -> int:
    """Write frames of one schema to one Parquet file, with one frame in memory at a time.

    Returns:
        Number of rows written.
    """
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
