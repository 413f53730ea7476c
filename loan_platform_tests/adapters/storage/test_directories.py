import shutil
from pathlib import Path

import pytest

from loan_platform.adapters.storage.directories import Directories
from loan_platform_tests.support.processes.crashes import Failure, fails_at


def test_a_published_directory_is_the_latest(tmp_path: Path) -> None:
    directories = Directories(tmp_path / "models")
    assert directories.latest() is None
    publish(directories.root, "a1", "first")
    publish(directories.root, "b2", "second")
    latest = directories.latest()
    assert latest is not None
    assert latest.name == "b2"
    assert content(latest) == "second"
    assert content(directories.path("a1")) == "first"
    with pytest.raises(LookupError, match="there is no c3"):
        directories.path("c3")


def test_a_draft_that_is_not_published_is_deleted(tmp_path: Path) -> None:
    with Directories(tmp_path).draft() as draft:
        (draft / "x").write_text("x")
    assert not draft.exists()
    assert Directories(tmp_path).latest() is None


def test_the_same_content_is_kept_and_a_damaged_one_replaced(tmp_path: Path) -> None:
    publish(tmp_path, "a1", "first")
    before = (tmp_path / "a1").resolve()
    publish(tmp_path, "a1", "first")
    assert (tmp_path / "a1").resolve() == before
    (tmp_path / "a1" / "deep" / "model.json").write_text("f1rst")
    publish(tmp_path, "a1", "first")
    assert content(tmp_path / "a1") == "first"
    assert (tmp_path / "a1").resolve() != before


@pytest.mark.parametrize("name", ["latest", "../x", "", ".store", "a/b"])
def test_a_name_must_be_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a directory"):
        publish(tmp_path, name, "x")


@pytest.mark.parametrize("failure", ["kill", pytest.param("EIO", marks=pytest.mark.thorough)])
def test_a_failure_at_every_file_operation_leaves_old_or_new(tmp_path: Path, failure: Failure) -> None:
    start = tmp_path / "start"
    publish(start, "a1", "old")
    seen, point = set[tuple[str, str]](), 1
    while True:
        root = tmp_path / f"crash{point}"
        shutil.copytree(start, root, symlinks=True)
        reached = fails_at(point, failure, root, publish_two, root)
        latest = Directories(root).latest()
        assert latest is not None
        seen.add((content(root / "a1"), content(latest)))
        publish_two(root)
        assert (content(root / "a1"), content(root / "b2")) == ("replaced", "new")
        assert not list(root.rglob("*.partial"))
        if not reached:
            break
        point += 1
    assert point > 20
    assert seen == {("old", "old"), ("replaced", "replaced"), ("replaced", "new")}


def publish_two(root: Path) -> None:
    publish(root, "a1", "replaced")
    publish(root, "b2", "new")


def publish(root: Path, name: str, text: str) -> None:
    directories = Directories(root)
    with directories.draft() as draft:
        (draft / "deep").mkdir()
        (draft / "deep" / "model.json").write_text(text)
        directories.publish(draft, name)


def content(directory: Path) -> str:
    return (directory / "deep" / "model.json").read_text()
