import json
import os
import resource
import shutil
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from loan_platform.adapters.storage.atomic_files import DiskFullError
from loan_platform.adapters.storage.lake import Lake, NotPublishedError
from loan_platform.adapters.storage.versions import MANIFEST
from loan_platform_tests.support.processes.crashes import Failure, fails_at, start
from loan_platform_tests.support.processes.small_disk import run_on_small_disk

ASSETS = ("validated_loans", "quarantined_rows")


def test_a_frame_comes_back_and_the_public_file_is_the_same(tmp_path: Path) -> None:
    lake, frame = Lake(tmp_path), pl.DataFrame({"loan_id": ["a", "b"], "amount": [1.5, None]})
    published = lake.write(frame, "book", "loan_features")
    assert lake.read("book", "loan_features").equals(frame)
    assert lake.scan("book", "loan_features").select(pl.len()).collect().item() == 2
    assert published == lake.published("book", "loan_features")
    assert published.bytes == published.path.stat().st_size
    public = tmp_path / "book" / "loan_features" / "part-0.parquet"
    assert public.samefile(published.path)
    assert sorted(tmp_path.rglob("*.parquet")) == [public]


def test_the_same_rows_give_the_same_sha256(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [float(i % 97) for i in range(10_000)], "t": [f"t{i % 7}" for i in range(10_000)]})
    first = Lake(tmp_path / "a").write(frame, "book", "rows").sha256
    assert Lake(tmp_path / "b").write(frame, "book", "rows").sha256 == first


def test_partitions_are_listed_when_published(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for month in ("2016-02", "2016-01"):
        lake.write(pl.DataFrame({"x": [1]}), "book", "predictions", month)
    assert lake.partitions("book", "predictions") == ["2016-01", "2016-02"]
    assert (tmp_path / "book" / "predictions" / "2016-01" / "part-0.parquet").is_file()
    assert not lake.exists("book", "predictions", "2016-03")
    with pytest.raises(NotPublishedError, match=r"book/predictions, partition 2016-03.*2016-01, 2016-02"):
        lake.read("book", "predictions", "2016-03")


def test_the_latest_pointer_names_a_partition(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.point_latest("book", "predictions", "2016-01")
    lake.point_latest("book", "predictions", "2016-02")
    assert (tmp_path / "book" / "predictions" / "latest").read_text() == "2016-02\n"


def test_a_reader_keeps_its_version_while_the_next_is_published(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write(pl.DataFrame({"x": [1]}), "book", "rows")
    rows = lake.scan("book", "rows")
    lake.write(pl.DataFrame({"x": [2]}), "book", "rows")
    assert rows.collect()["x"].to_list() == [1]
    lake.write(pl.DataFrame({"x": [3]}), "book", "rows")
    assert len(list(tmp_path.rglob("*.pq"))) == 2  # the present version and the one before


def test_nothing_is_published_by_a_failed_or_empty_block(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(ZeroDivisionError), lake.publish("book", "rows") as path:
        pl.DataFrame({"x": [1 // (path.write_bytes(b"half a file") - 11)]})
    with pytest.raises(FileNotFoundError, match="nothing was written"), lake.publish("book", "rows"):
        pass
    assert not lake.exists("book", "rows")
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".store", "x" * 200])
def test_a_name_cannot_leave_the_lake(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a portfolio, asset or partition"):
        Lake(tmp_path).exists("book", "rows", name)


@pytest.mark.parametrize(
    ("before", "failure"),
    [
        ("old", "kill"),
        *(
            pytest.param(*case, marks=pytest.mark.thorough)
            for case in ((None, "kill"), ("old", "EIO"), ("old", "ENOSPC"))
        ),
    ],
)
def test_a_failure_at_any_file_operation_shows_all_old_or_new(
    tmp_path: Path, before: str | None, failure: Failure
) -> None:
    start_state = tmp_path / "start"
    start_state.mkdir()
    if before:
        publish_both(start_state, _file(tmp_path, before))
    expected = tmp_path / "expected"
    publish_both(expected, _file(tmp_path, "new"))
    seen, point = set[str | None](), 1
    while True:
        root = tmp_path / f"crash{point}"
        shutil.copytree(start_state, root, symlinks=True)
        failed = fails_at(point, failure, root, publish_both, root, _file(tmp_path, "new"))
        seen.add(_state(root))
        publish_both(root, _file(tmp_path, "new"))
        assert _state(root) == "new"
        assert not list(root.rglob("*.partial"))
        for asset in ASSETS:
            assert Lake(root).sha256("book", asset) == Lake(expected).sha256("book", asset)
            public = root / "book" / asset / "part-0.parquet"
            assert pl.read_parquet(public)["is"].unique().to_list() == ["new"]
        if not failed:
            break
        point += 1
    assert point > 25
    assert seen == {before, "new"}


def test_readers_beside_a_writer_never_see_halves(tmp_path: Path) -> None:
    publish_both(tmp_path, _file(tmp_path, "0"))
    writer = start(publish_many, tmp_path, tmp_path, 60)
    seen = list[str]()
    while writer.is_alive():
        try:
            one, other = (pl.read_parquet(path)["is"][0] for path in _files_of_one_publication(tmp_path))
        except FileNotFoundError:  # published twice since: a version outlives one publication
            continue
        assert one == other
        seen.append(one)
    assert writer.exitcode == 0
    assert len(set(seen)) > 3
    assert [int(number) for number in seen] == sorted(int(number) for number in seen)


def test_four_writers_at_once_leave_one_whole_version(tmp_path: Path) -> None:
    writers = [start(publish_many, tmp_path, tmp_path, 15) for _ in range(4)]
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert _state(tmp_path) in {str(i) for i in range(15)}
    assert not list(tmp_path.rglob("*.partial"))


def test_a_second_writer_builds_on_what_the_first_published(tmp_path: Path) -> None:
    """Both read before either writes, unless the second waits."""
    lake, inside = Lake(tmp_path), threading.Event()
    lake.write(pl.DataFrame({"key": ["known"]}), "book", "rows")

    def add(key: str) -> None:
        with lake.one_writer("book", "rows"):
            known = lake.read("book", "rows")
            inside.set()
            lake.write(pl.concat([known, pl.DataFrame({"key": [key]})]), "book", "rows")

    writers = [threading.Thread(target=add, args=(f"new-{i}",)) for i in range(4)]
    with lake.one_writer("book", "rows"):
        for writer in writers:
            writer.start()
        assert not inside.is_set()
    for writer in writers:
        writer.join()
    assert sorted(lake.read("book", "rows")["key"]) == ["known", "new-0", "new-1", "new-2", "new-3"]


def test_a_file_larger_than_the_limit_is_a_clear_error(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.write(pl.DataFrame({"x": [1]}), "book", "rows")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DiskFullError, match=r"book/rows/part-0.parquet was not written"):
            lake.write(_large(), "book", "rows")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert lake.read("book", "rows")["x"].to_list() == [1]
    lake.write(_large(), "book", "rows")
    assert lake.read("book", "rows").height == 200_000


def test_a_full_disk_is_a_clear_error_and_heals(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    script = f"from {on_a_full_disk.__module__} import on_a_full_disk; on_a_full_disk({str(disk)!r})"
    done = run_on_small_disk(disk, script)
    assert done.stdout.strip() == "healed", done.stderr


def on_a_full_disk(disk: str) -> None:
    lake = Lake(Path(disk))
    lake.write(pl.DataFrame({"x": [1]}), "book", "rows")
    for _ in range(3):
        with pytest.raises(DiskFullError, match="bytes are free"):
            lake.write(_large(), "book", "rows")
        assert lake.read("book", "rows")["x"].to_list() == [1]
    lake.write(pl.DataFrame({"x": [2]}), "book", "rows")
    assert lake.read("book", "rows")["x"].to_list() == [2]
    sys.stdout.write("healed")


def publish_both(root: Path, source: Path) -> None:
    with Lake(root).publish_together("book", ASSETS) as paths:
        for path in paths.values():
            shutil.copyfile(source, path)


def publish_many(root: Path, sources: Path, times: int) -> None:
    for number in range(times):
        publish_both(root, _file(sources, str(number)))


def _files_of_one_publication(root: Path) -> list[Path]:
    store = root / "book" / ".store"
    files = json.loads((store / ASSETS[0] / MANIFEST).read_text())["files"]
    return [store / asset / f"{files[asset]['sha256']}.pq" for asset in ASSETS]


def _file(folder: Path, content: str) -> Path:
    path = folder / f"{content}.source"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        pl.DataFrame({"is": [content] * 10}).write_parquet(partial)
        partial.replace(path)
    return path


def _state(root: Path) -> str | None:
    """What a reader finds: one word when both assets are whole and of one publication."""
    lake = Lake(root)
    for public in root.rglob("*.parquet"):  # other tools: each file whole
        assert pl.read_parquet(public)["is"].n_unique() == 1
    if not lake.exists("book", ASSETS[0]):
        assert not lake.exists("book", ASSETS[1])
        return None
    words = {word for asset in ASSETS for word in lake.read("book", asset)["is"].to_list()}
    assert len(words) == 1
    return words.pop()


def _large() -> pl.DataFrame:
    return pl.DataFrame({"x": pl.int_range(200_000, eager=True).hash(seed=1)})  # does not compress
