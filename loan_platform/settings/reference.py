"""`docs/settings.md`, written from the classes of settings: `python -m loan_platform.settings.reference`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from loan_platform.settings.catalogue import CLASSES
from loan_platform.settings.environment import EnvironmentSettings, Variable
from loan_platform.settings.quiet import LIBRARY_DEFAULTS

HEADER = """# Settings

Generated from the classes in `loan_platform/settings` by `make docs`.

Environment variables hold all settings. A blank variable counts as not set. An unusable value ends the process with
exit code 2 and one sentence that names the variable and what it accepts. Possible passwords are never shown.
The asset graph loads all the same, unless the value is that of `LOAN_PLATFORM_HOME`, which every asset needs.
There only the assets that need the value fail, with that sentence.
"""
SOURCES = """## Source files of a book

`<PORTFOLIO>_<SOURCE>` replaces the path of a source, such as `LENDING_CLUB_LOANS=gs://bucket/loans-*.csv`.
It accepts a path, a glob or a `gs://` URI. The asset graph, `loan-platform check` and `loan-platform demo` read it.
"""
LIBRARIES = """## Variables of libraries

The platform sets these for its own processes, unless they are set already.

| variable | value | reason |
| --- | --- | --- |
"""
TYPES: dict[Any, str] = {str: "text", int: "whole number", float: "number", Path: "path"}


@dataclass(frozen=True)
class Setting:
    """One row of the page."""

    variable: Variable
    field: FieldInfo
    read_by: str

    def row(self) -> str:
        """The row in Markdown."""
        meaning = self.field.description or ""
        if self.variable.former:
            meaning += f" Formerly {', '.join(f'`{name}`' for name in self.variable.former)}, which still works."
        cells = (
            f"`{self.variable.name}`",
            _type(self.field.annotation),
            self.variable.default or f"`{_plain(self.field.default)}`",
            self.variable.accepts.replace("<", "&lt;"),
            meaning,
            self.read_by,
        )
        return f"| {' | '.join(cells)} |"


def settings_page() -> str:
    """The Markdown page: a table of all settings, and what the platform sets for libraries."""
    lines = ["| variable | type | default | accepts | meaning | read by |", "| --- | --- | --- | --- | --- | --- |"]
    table = "\n".join([*lines, *(setting.row() for setting in all_settings())])
    libraries = "".join(
        f"| `{name}` | `{default.value}` | {default.reason} |\n" for name, default in LIBRARY_DEFAULTS.items()
    )
    return "\n".join([HEADER, f"{table}\n", SOURCES, LIBRARIES + libraries]).rstrip() + "\n"


def all_settings() -> list[Setting]:
    """Each variable once, with every class that reads it."""
    found: dict[str, tuple[Variable, FieldInfo, list[type[EnvironmentSettings]]]] = {}
    for settings in CLASSES:
        for _, field, variable in settings.variables():
            found.setdefault(variable.name, (variable, field, []))[2].append(settings)
    return [Setting(variable, field, _readers(classes)) for variable, field, classes in found.values()]


def _readers(classes: list[type[EnvironmentSettings]]) -> str:
    return ", ".join(dict.fromkeys(reader for settings in classes for reader in settings.READ_BY))


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "choice"
    if get_origin(annotation) is Annotated:
        return _type(get_args(annotation)[0])
    if get_origin(annotation) in (UnionType, Union):
        return _type(next(part for part in get_args(annotation) if part is not NoneType))
    return TYPES[annotation]


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.stdout.write(settings_page())
