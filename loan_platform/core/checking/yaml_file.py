"""A YAML file with the line of each key. Repeated keys, which YAML accepts silently, are issues."""

from collections.abc import Generator, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, ClassVar

import yaml

from loan_platform.core.book.key_paths import Path, path_text
from loan_platform.core.checking.yaml_errors import bytes_issue, nesting_issue, yaml_issue
from loan_platform.core.checking.yaml_limits import file_issue, limit_issue
from loan_platform.core.errors import Issue

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads a contract in a twentieth of the time
_PLAIN = ("null", "bool", "int", "float", "str", "seq", "map", "merge")


class _Loader(_Base):  # pyright: ignore[reportUntypedBaseClass]
    """Text, numbers, true and false, lists and maps: a date stays the text that was written."""

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors: ClassVar[Any] = {
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in _PLAIN
    }


@dataclass(frozen=True)
class YamlFile:
    """One YAML document: its data, and the issues found while reading it.

    `readable` is False where there is no data at all; `data` is what YAML makes of the text otherwise.
    """

    path: FilePath
    data: Any
    root: yaml.Node | None
    issues: tuple[Issue, ...]
    readable: bool

    def issue(self, path: Path, message: str, hint: str, code: str = "") -> Issue:
        """An issue at a path of this file."""
        return Issue(path_text(path), message, hint, code, self.path, self.line(path))

    def line(self, path: Path) -> int:
        """Line (from 1) of the deepest key or list item that exists on a path."""
        node, line = self.root, 1
        if node is not None:
            line = node.start_mark.line + 1
        for part in path:
            found = next((entry for entry in _entries(node) if entry[0] == part), None)
            if found is None:
                break
            _, line, node = found
        return line


def read_yaml(path: FilePath) -> YamlFile:
    """Read one document. Everything wrong with the file is returned as an issue; nothing is raised."""
    try:
        if issue := file_issue(path, path.stat()):
            return _unreadable(path, issue)
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        return _unreadable(path, bytes_issue(path, error))
    except OSError as error:
        message = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        return _unreadable(path, Issue("", message, "Write it, or correct its name.", "no_file", path))
    return _read(path, text)


def _read(path: FilePath, text: str) -> YamlFile:
    try:
        with _loader(text) as loader:
            issue = limit_issue(path, loader)
        if issue is not None:
            return _unreadable(path, issue)
        with _loader(text) as loader:
            root = loader.get_single_node()
            data = None if root is None else loader.construct_document(root)
        repeated = tuple(_repeated_keys(path, root, "", set()))
    except yaml.YAMLError as error:
        return _unreadable(path, yaml_issue(path, text, error))
    except (RecursionError, ValueError) as error:
        return _unreadable(path, nesting_issue(path, error))
    return YamlFile(path, data, root, repeated, readable=True)


@contextmanager
def _loader(text: str) -> Generator[Any]:
    loader = _Loader(text)
    try:
        yield loader
    finally:
        loader.dispose()


def _unreadable(path: FilePath, issue: Issue) -> YamlFile:
    return YamlFile(path, None, None, (issue,), readable=False)


def _entries(node: yaml.Node | None) -> Iterator[tuple[Hashable, int, yaml.Node]]:
    """Key or number of each child with its line, the last of equal keys first: that is the one YAML keeps."""
    if isinstance(node, yaml.MappingNode):
        for key, value in reversed(node.value):
            yield _text(key), key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield i, value.start_mark.line + 1, value


def _text(key: yaml.Node) -> str:
    return str(key.value) if isinstance(key, yaml.ScalarNode) else ""


def _repeated_keys(path: FilePath, node: yaml.Node | None, where: str, seen: set[int]) -> Iterator[Issue]:
    if node is None or id(node) in seen:  # an alias is looked at once
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _repeated_keys(path, value, f"{where}[{i}]", seen)
    elif isinstance(node, yaml.MappingNode):
        first: dict[str, int] = {}
        for key, value in node.value:
            name, line = _text(key), key.start_mark.line + 1
            inner = f"{where}.{name}".lstrip(".")
            if name in first and name != "<<":
                message = f"the key is there twice, first on line {first[name]}, and YAML would keep only the last"
                yield Issue(inner, message, "Remove one of the two.", "repeated_key", path, line)
            first.setdefault(name, line)
            yield from _repeated_keys(path, value, inner, seen)
