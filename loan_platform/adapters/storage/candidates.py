"""Candidate files of assets: written and checked before a reader can see them, then published or refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from loan_platform.adapters.storage.atomic_files import fsync, make_directory, make_read_only, remove
from loan_platform.adapters.storage.versions import commit, link_public, store_version

LOCK, WRITER = ".lock", ".writer"  # a leading dot: no partition is named so


@dataclass(frozen=True)
class Candidates:
    """Files of assets that are published together, and not yet published.

    Attributes:
        paths: where to write the file of each asset.
        stores: folder of the versions of each asset.
        public: the path of each asset's current file, for any tool.
        refused: the path of each asset's refused file, for people.
    """

    paths: Mapping[str, Path]
    stores: Mapping[str, Path]
    public: Mapping[str, Path]
    refused: Mapping[str, Path]

    def publish(self) -> None:
        """Make the files current, all in one step. Files that were refused earlier are deleted.

        Raises:
            FileNotFoundError: no file was written for one of the assets.
        """
        with FileLock(next(iter(self.stores.values())) / LOCK):
            versions = {asset: store_version(path) for asset, path in self.paths.items()}
            commit(self.stores, versions)
            for asset, version in versions.items():
                link_public(version.path, self.public[asset])
        for path in self.refused.values():
            if path.exists():
                remove(path.parent)

    def refuse(self) -> Mapping[str, Path]:
        """Keep the files beside the current ones, which stay as they are. They replace files refused earlier.

        Returns:
            The path of each asset's refused file.
        """
        for asset, path in self.refused.items():
            make_directory(path.parent)
            make_read_only(self.paths[asset])
            fsync(self.paths[asset])
            self.paths[asset].replace(path)
            fsync(path.parent)
        return self.refused
