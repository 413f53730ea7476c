"""Limits of a YAML file, found without building its values: a few hundred bytes can stand for billions of them."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from loan_platform.core.errors import Issue

MAX_BYTES = 4_000_000
MAX_DEPTH = 50  # of lists and maps in each other; libyaml ends the process far above it
MAX_VALUES = 100_000  # with each alias counted as all the values that it stands for
_CODE = "too_large"


@dataclass
class _Part:
    """A list or map that is being read. `values` and `height` are those of what was read so far."""

    anchor: str | None
    values: int = 1
    height: int = 0


def file_issue(path: Path, status: os.stat_result) -> Issue | None:
    """An issue if it is no plain file, such as a pipe that never ends, or has more bytes than a book can need."""
    if not stat.S_ISREG(status.st_mode):
        return Issue("", "is not a file", "Name a file of a book.", "no_file", path)
    if status.st_size <= MAX_BYTES:
        return None
    message = f"the file has {status.st_size:,} bytes, and the limit is {MAX_BYTES:,}"
    return Issue("", message, "Name a file of a book, or shorten it.", _CODE, path, 1)


def limit_issue(path: Path, loader: Any) -> Issue | None:
    """The first place where a file is nested too deep, holds itself, or stands for too many values.

    Args:
        path: of the file.
        loader: a new loader of its text. All of its events are read.

    Raises:
        yaml.YAMLError: the text is not YAML.
    """
    open_parts = [_Part(None)]
    anchored: dict[str, _Part] = {}
    while (event := loader.get_event()) is not None:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_parts.append(_Part(event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            _close(open_parts, anchored)
        elif isinstance(event, yaml.ScalarEvent):
            open_parts[-1].values += 1
            if event.anchor:
                anchored[event.anchor] = _Part(None)
        elif isinstance(event, yaml.AliasEvent):
            part = anchored.get(event.anchor)
            if any(inside.anchor == event.anchor for inside in open_parts):
                return Issue("", f"`*{event.anchor}` stands for itself", "Write the values.", _CODE, path, line)
            if part is not None:  # the parser tells of an alias without an anchor
                _add(open_parts[-1], part)
        if len(open_parts) + open_parts[-1].height > MAX_DEPTH:
            message = f"lists or maps are nested deeper than {MAX_DEPTH} levels"
            return Issue("", message, "Remove the superfluous levels.", _CODE, path, line)
        if open_parts[-1].values > MAX_VALUES:
            message = f"the file stands for more than {MAX_VALUES:,} values"
            return Issue("", message, "Write fewer aliases (`*name`).", _CODE, path, line)
    return None


def _close(open_parts: list[_Part], anchored: dict[str, _Part]) -> None:
    part = open_parts.pop()
    if part.anchor:
        anchored[part.anchor] = _Part(None, part.values, part.height)
    _add(open_parts[-1], part)


def _add(outer: _Part, part: _Part) -> None:
    outer.values += part.values
    outer.height = max(outer.height, part.height + 1)
