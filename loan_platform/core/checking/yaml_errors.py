"""Turns the errors of the YAML parser into issues with a plain message and a hint."""

from pathlib import Path

import yaml

from loan_platform.core.errors import Issue

_SPACES = "Indent with spaces; most editors can convert tabs."
_QUOTE = "Put the whole text in quotes"

# A piece of the parser's text (libyaml and PyYAML word it differently), message, hint.
_PROBLEMS = (
    (
        ("mapping values are not allowed",),
        "there is a second `:` in a line, or the line above lacks its `:` or stands at another indentation",
        f"{_QUOTE} if it has a colon followed by a space; otherwise correct the line above.",
    ),
    (
        ("sequence entries are not allowed",),
        "a list item (`- `) cannot begin here",
        f"Begin the list on a line of its own, or {_QUOTE.lower()}.",
    ),
    (
        ("expected ',' or",),
        "a bracket is opened and never closed, or a comma is missing between items",
        "Close the bracket, or write the comma.",
    ),
    (
        ("unexpected end of stream",),
        "a quote is opened and never closed",
        "Close it; a quote inside a quoted text is written twice.",
    ),
    (
        ("could not find expected ':'",),
        "a key has no `:` after it",
        "Write `key: value`, with a space after the colon.",
    ),
    (
        ("comment or line break", "chomping or indentation"),
        "a text in quotes goes on after them, or what follows `|` or `>` is not on a new line",
        "Write SQL that begins with a quote after `sql: >-`, on the next line and indented.",
    ),
    (
        ("unknown escape",),
        "a backslash in double quotes begins no escape that YAML knows",
        "Use single quotes, in which a backslash is a backslash.",
    ),
    (("undefined alias",), "a text begins with `*`, which YAML takes for the name of an anchor", f"{_QUOTE}."),
    (("another document",), "a second document begins (`---`); a book has one", "Remove the line."),
    (("could not determine a constructor",), "the tag (`!`) is not accepted", f"{_QUOTE} if it begins with `!`."),
    (("unhashable key",), "a list or map is used as a key", f"{_QUOTE} if it begins with a bracket."),
    (
        ("tab character",),
        "the line is indented with a tab, which YAML does not accept",
        _SPACES,
    ),
    (
        ("expected key", "<block end>", "expected '-' indicator", "<document start>", "expected node content"),
        "the line is not where YAML expects it: its indentation differs from its neighbours, or a quote or bracket "
        "before it is not closed",
        "Indent it like its neighbours.",
    ),
)


def yaml_issue(path: Path, text: str, error: yaml.YAMLError) -> Issue:
    """The parser's error as an issue on the line to change."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        problem = error.problem or ""
        if error.context_mark is not None and ("end of stream" in problem or "expected ','" in problem):
            mark = error.context_mark  # where the quote or bracket was opened
        message, hint = _explained(problem, _character(text, error.problem_mark))
        return _issue(path, mark.line + 1, message, hint)
    position = getattr(error, "position", 0)
    line = text.count("\n", 0, position if isinstance(position, int) else 0) + 1
    return _issue(path, line, "there is a control character", "Remove it.")


def bytes_issue(path: Path, error: UnicodeDecodeError) -> Issue:
    """The issue of a file that is not UTF-8."""
    line = error.object.count(b"\n", 0, error.start) + 1
    return _issue(path, line, "the file is not UTF-8 text", "Save it as UTF-8.")


def nesting_issue(path: Path, error: Exception) -> Issue:
    """The issue of a value that YAML reads and Python cannot hold."""
    if isinstance(error, RecursionError):
        return _issue(path, 1, "lists or maps are nested too deep", "Remove the superfluous levels.")
    return _issue(path, 1, f"a number cannot be read ({error})", "Write it in decimal digits.")


def _explained(problem: str, character: str) -> tuple[str, str]:
    if "cannot start any token" in problem:
        if character == "\t":
            return "the line is indented with a tab, which YAML does not accept", _SPACES
        return f"a text cannot begin with `{character}`", f"{_QUOTE}."
    for pieces, message, hint in _PROBLEMS:
        if any(piece in problem for piece in pieces):
            return message, hint
    return problem, "Correct the line."


def _character(text: str, mark: yaml.Mark) -> str:
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    return line[mark.column : mark.column + 1]


def _issue(path: Path, line: int, message: str, hint: str) -> Issue:
    return Issue("", f"cannot be read as YAML: {message}", hint, "not_yaml", path, line)
