"""Random mistakes in the LendingClub book: each is told, on the right line, and nothing else is ever raised."""

import copy
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import loan_platform
from loan_platform.core.checking.book_check import check_book

pytestmark = [pytest.mark.slow, pytest.mark.thorough]

SHIPPED = Path(loan_platform.__file__).parent / "defs" / "lending_club"
FILES = ("contract.yaml", "defs.yaml")
TREES = {file: yaml.safe_load((SHIPPED / file).read_text()) for file in FILES}
REQUIRED = {
    "contract.yaml": {"description", "entity_key", "columns", "target", "features", "name", "type", "sql", "reason"},
    "defs.yaml": {"type", "attributes", "sources", "path"},
}
ROUNDS = 25
NOISE = ("", "\t", "\n", ":", "'", '"', "[", "}", "- ", "#", "%", "\x00", "é")
Path_ = tuple[Any, ...]


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "lending_club"))


def places(node: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Every key and list item of a tree."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(tree: Any, path: Path_) -> Any:
    for part in path:
        tree = tree[part]
    return tree


def plant(book: Path, file: str, tree: Any) -> str:
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=10_000)
    (book / file).write_text(text)
    return text


def told_lines(book: Path, file: str) -> set[int | None]:
    return {issue.line for issue in check_book(book).issues if issue.file and issue.file.name == file}


def line_of(text: str, piece: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), 1) if piece in line)


def some(file: str, seed: int) -> tuple[random.Random, Any, list[Path_]]:
    draw, tree = random.Random(seed), copy.deepcopy(TREES[file])
    return draw, tree, list(places(tree))


def renamed(mapping: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if key == old else key: value for key, value in mapping.items()}


@pytest.mark.parametrize("file", FILES)
def test_a_misspelt_key(book: Path, file: str) -> None:
    for seed in range(ROUNDS):
        draw, tree, all_places = some(file, seed)
        path = draw.choice([p for p in all_places if isinstance(p[-1], str)])
        wrong = draw.choice([f"{path[-1]}xq", f"xq{path[-1]}"])
        owner = at(tree, path[:-1])
        changed = renamed(owner, path[-1], wrong)
        owner.clear()
        owner.update(changed)
        text = plant(book, file, tree)
        assert line_of(text, f"{wrong}:") in told_lines(book, file), (seed, path)


@pytest.mark.parametrize("file", FILES)
def test_a_value_of_another_type(book: Path, file: str) -> None:
    for seed in range(ROUNDS):
        draw, tree, all_places = some(file, seed)
        path = draw.choice(all_places)
        at(tree, path[:-1])[path[-1]] = {"planted_here": 1}
        text = plant(book, file, tree)
        line = line_of(text, "planted_here")
        assert told_lines(book, file) & {line, line - (path[-1] != 0)}, (seed, path)


@pytest.mark.parametrize("file", FILES)
def test_a_text_where_none_belongs(book: Path, file: str) -> None:
    chosen = {"type", "available_at", "severity", "on_invalid", "kind", "monotone", "every", "families"}
    for seed in range(ROUNDS):
        draw, tree, all_places = some(file, seed)
        wanted = [p for p in all_places if not isinstance(at(tree, p), str | dict | list) or p[-1] in chosen]
        path = draw.choice(wanted)
        at(tree, path[:-1])[path[-1]] = "planted here"
        text = plant(book, file, tree)
        assert line_of(text, "planted here") in told_lines(book, file), (seed, path)


@pytest.mark.parametrize("file", FILES)
def test_a_dropped_key(book: Path, file: str) -> None:
    for seed in range(ROUNDS):
        draw, tree, all_places = some(file, seed)
        optional = {(column, "sql") for column in range(len(tree.get("columns", ())))}
        path = draw.choice([p for p in all_places if p[-1] in REQUIRED[file] and p[-2:] not in optional])
        if path[0] == "columns" and path[-1] == "sql":
            continue
        owner = at(tree, path[:-1])
        del owner[path[-1]]
        text = plant(book, file, tree)
        wanted = yaml.compose(text)
        for part in path[:-1]:
            wanted = wanted.value[part] if isinstance(part, int) else dict_node(wanted, part)
        line = wanted.start_mark.line + 1
        assert told_lines(book, file) & {line, line - 1}, (seed, path)


def dict_node(node: Any, key: str) -> Any:
    return next(value for name, value in node.value if name.value == key)


@pytest.mark.parametrize("file", FILES)
def test_a_repeated_line(book: Path, file: str) -> None:
    source = plant(book, file, TREES[file]).splitlines()
    single = [i for i, line in enumerate(source) if ": " in line and not line.lstrip().startswith("- ")]
    for seed in range(ROUNDS):
        i = random.Random(seed).choice(single)
        (book / file).write_text("\n".join([*source[: i + 1], source[i], *source[i + 1 :]]))
        assert i + 2 in told_lines(book, file), (seed, source[i])


@pytest.mark.parametrize("file", FILES)
def test_letters_lost_and_added(book: Path, file: str) -> None:
    """Whatever the text is, the check ends with mistakes or with a book, and never with both or neither."""
    source = (SHIPPED / file).read_text()
    for seed in range(ROUNDS * 2):
        draw, text = random.Random(seed), source
        for _ in range(draw.randint(1, 6)):
            i = draw.randrange(len(text))
            text = (
                text[:i]
                + draw.choice(["", "\t", "\n", ":", "'", '"', "[", "}", "- ", "#", "%", "\x00", "é"])
                + text[i + 1 :]
            )
        (book / file).write_text(text)
        found = check_book(book)
        assert bool(found.issues) == (found.portfolio is None), seed


def test_trees_swapped_and_emptied(book: Path) -> None:
    """Any part of a file in the place of any other."""
    for seed in range(ROUNDS * 2):
        draw, file = random.Random(seed), FILES[seed % 2]
        _, tree, all_places = some(file, seed)
        one, other = draw.sample(all_places, 2)
        value = draw.choice([copy.deepcopy(at(tree, other)), None, [], {}, "", 0, -1, 1e300, True, [[]], {"": ""}])
        at(tree, one[:-1])[one[-1]] = value
        plant(book, file, tree)
        found = check_book(book)
        assert bool(found.issues) == (found.portfolio is None), (seed, one, value)
        assert all(issue.line for issue in found.issues), (seed, one)
