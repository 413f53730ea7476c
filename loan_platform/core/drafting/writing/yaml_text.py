"""Writes YAML line by line, with comments."""

from collections.abc import Iterable

import yaml

WIDTH = 118


def scalar(value: object) -> str:
    """A value on one line, quoted where YAML needs it."""
    text: str = yaml.safe_dump(value, allow_unicode=True, width=10**9, default_flow_style=True)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def listed(values: Iterable[object], indent: int) -> str:
    """A list in brackets, continued on lines below the key where it is long."""
    lines, line = list[str](), ""
    for item in (scalar([value])[1:-1] for value in values):
        if line and len(line) + len(item) + 2 > WIDTH - indent:
            lines.append(line + ",")
            line = item
        else:
            line = f"{line}, {item}" if line else item
    lines.append(line)
    return "[" + f"\n{' ' * indent}".join(lines) + "]"


def comment(text: str, indent: int = 0) -> list[str]:
    """Lines of a comment, broken at blanks."""
    margin, lines, line = " " * indent, list[str](), ""
    for word in _printable(text).split():
        if line and len(margin) + 2 + len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [f"{margin}# {line}" for line in [*lines, line] if line]


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
