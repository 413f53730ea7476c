"""Versions of the lake's files: immutable, named by their SHA-256, made current by one manifest.

A store is the folder of one asset, or of one partition of it. The manifest of the first asset names the current file
of every asset published with it. The manifests of the other assets point to it.
"""

import errno
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loan_platform.adapters.storage.atomic_files import (
    atomic_write,
    discarded_on_error,
    fsync,
    make_directory,
    make_read_only,
    partial_path,
    remove,
    remove_abandoned,
    sha256,
)

MANIFEST = ".manifest.json"  # a leading dot: no partition is named so
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)


@dataclass(frozen=True)
class Published:
    """One version of one asset's rows: an immutable Parquet file."""

    path: Path
    sha256: str
    bytes: int


def current_version(store: Path) -> Published | None:
    """The current version of a store; None before the first publication."""
    manifest = _read(store)
    lead = store / manifest["follows"] if "follows" in manifest else store
    entry = _files(lead).get(manifest.get("as", ""))
    return None if entry is None else _version(store, entry)


def store_version(partial: Path) -> Published:
    """Rename a written file to its SHA-256.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if not partial.is_file():
        raise FileNotFoundError(f"nothing was written to {partial}, so nothing is published")
    make_read_only(partial)  # the public name is the same file: a tool must not edit it in place
    fsync(partial)
    digest = sha256(partial)
    final = partial.with_name(f"{digest}.pq")  # not .parquet, so that no glob of other tools finds it
    version = Published(final, digest, partial.stat().st_size)
    partial.replace(final)
    fsync(final.parent)
    return version


def commit(stores: Mapping[str, Path], versions: Mapping[str, Published]) -> None:
    """Make versions current in one step. The previous ones are kept for readers that have just looked them up."""
    lead, *others = stores
    for asset in others:  # before the lead's manifest: until it names them, they have no version
        follows = json.dumps({"follows": os.path.relpath(stores[lead], stores[asset]), "as": asset})
        if _text(stores[asset] / MANIFEST) != follows:
            atomic_write(stores[asset] / MANIFEST, follows)
    previous = _files(stores[lead])
    files = {asset: _entry(versions[asset]) for asset in stores}
    if files == previous:
        return
    manifest = {"as": lead, "files": files, "before": previous}
    atomic_write(stores[lead] / MANIFEST, json.dumps(manifest, sort_keys=True))
    for asset, store in stores.items():
        _delete_others(store, {entry[asset]["sha256"] for entry in (files, previous) if asset in entry})


def link_public(version: Path, public: Path) -> None:
    """Make the public path a hard link to the version's file, or a copy where links are not supported."""
    make_directory(public.parent)
    remove_abandoned(public.parent)
    if public.exists() and public.samefile(version):
        return
    partial = partial_path(public)
    with discarded_on_error(partial):
        _link(version, partial)
        partial.replace(public)
    fsync(public.parent)


def _entry(version: Published) -> dict[str, Any]:
    return {"sha256": version.sha256, "bytes": version.bytes}


def _version(store: Path, entry: Mapping[str, Any]) -> Published:
    return Published(store / f"{entry['sha256']}.pq", entry["sha256"], entry["bytes"])


def _link(version: Path, partial: Path) -> None:
    try:
        os.link(version, partial)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        shutil.copyfile(version, partial)
        fsync(partial)


def _delete_others(store: Path, kept: set[str]) -> None:
    for path in store.glob("*.pq"):
        if path.stem not in kept:
            remove(path)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def _read(store: Path) -> dict[str, Any]:
    return json.loads(_text(store / MANIFEST) or "{}")


def _files(lead: Path) -> dict[str, dict[str, Any]]:
    return _read(lead).get("files", {})
