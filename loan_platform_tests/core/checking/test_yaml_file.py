"""What YAML itself refuses, or keeps to itself, is told with the line that has to be changed."""

import os
from pathlib import Path

import pytest

from loan_platform.core.checking.yaml_file import read_yaml


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 2, "a bracket is opened and never closed"),
        ("a: 1\nb: 'text\nc: 3\n", 2, "a quote is opened and never closed"),
        ("a: 1\nb: one: two\n", 2, "there is a second `:` in a line"),
        ("a:\n\tb: 1\n", 2, "the line is indented with a tab, which YAML does not accept"),
        ("a: 1\nb: %x\n", 2, "a text cannot begin with `%`"),
        ("a: 1\nb: @x\n", 2, "a text cannot begin with `@`"),
        ("a: 1\nb: *x\n", 2, "a text begins with `*`"),
        ("a: 1\nb: - x\n", 2, "a list item (`- `) cannot begin here"),
        ("a: 1\nsql: 'x' || y\n", 2, "a text in quotes goes on after them"),
        ("a: 1\nsql: | y\n", 2, "a text in quotes goes on after them, or what follows `|`"),
        ('a: 1\nb: "\\q"\n', 2, "a backslash in double quotes"),
        ("a:\n  b: 1\n c: 2\n", 3, "the line is not where YAML expects it"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins"),
        ("a: 1\nb: !!binary x\n", 2, "the tag (`!`) is not accepted"),
        ("a: 1\n{b}: 2\n", 2, "a list or map is used as a key"),
        ("a: 1\nb: \x07\n", 2, "there is a control character"),
    ],
)
def test_text_that_is_no_yaml(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    read = read_yaml(path)
    assert not read.readable
    (issue,) = read.issues
    assert str(issue).startswith(f"{path}:{line}: cannot be read as YAML: {what}")
    assert issue.hint.endswith(".")


def test_bytes_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_bytes("a: 1\nb: Zürich\n".encode("latin-1"))
    assert str(read_yaml(path).issues[0]) == (
        f"{path}:2: cannot be read as YAML: the file is not UTF-8 text. Save it as UTF-8."
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    assert str(read_yaml(path).issues[0]) == f"{path}: does not exist. Write it, or correct its name."


def test_every_repeated_key_is_told(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("a: 1\nb:\n  - {c: 1, d: 2}\n  - c: 1\n    c: 2\na: 3\n")
    read = read_yaml(path)
    assert [(m.line, m.path, m.message.partition(",")[0]) for m in read.issues] == [
        (5, "b[1].c", "the key is there twice"),
        (6, "a", "the key is there twice"),
    ]
    assert read.data["a"] == 3


def test_deep_nesting_and_long_numbers_are_mistakes_too(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    for text in ("[" * 5_000 + "]" * 5_000, "a: " + "9" * 5_000):
        path.write_text(text)
        assert len(read_yaml(path).issues) == 1


def test_a_date_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("start: 2001-13-45\nday: 2001-01-01\n")
    assert read_yaml(path).data == {"start": "2001-13-45", "day": "2001-01-01"}


def test_lines_of_keys_and_items(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("a:\n  - b: 1\n    c:\n      - x\n      - y\n")
    read = read_yaml(path)
    places = [("a",), ("a", 0, "c"), ("a", 0, "c", 1), ("a", 0, "absent"), ("a", 9), ("z",), ()]
    assert [read.line(place) for place in places] == [1, 3, 5, 2, 1, 1, 1]


def nested(levels: int) -> str:
    """Lists of nine aliases each, so that few bytes stand for nine to the power of `levels` values."""
    lines = [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]" for i in range(levels)]
    return "\n".join(["a: &a [x, x, x, x, x, x, x, x, x]", *lines])


def merged(levels: int) -> str:
    """The same with merge keys."""
    lines = [f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{', '.join([f'*{chr(97 + i)}'] * 9)}]}}" for i in range(levels)]
    return "\n".join(["a: &a {k: v}", *lines])


@pytest.mark.attack("book", "a YAML bomb of 547 bytes", before="`check` took over 60 s, or the process was killed")
@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (nested(9), 6, "stands for more than 100,000 values"),
        (merged(9), 6, "stands for more than 100,000 values"),
        ("a:\n  b: " + "[" * 1_000_000, 2, "nested deeper than 50 levels"),
        ("a:\n  b: " + "{a: " * 900_000, 2, "nested deeper than 50 levels"),
        ("- " * 60 + "x", 1, "nested deeper than 50 levels"),
        (
            "a: &a [[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]\n" + "b: " + "[" * 30 + "*a" + "]" * 30,
            2,
            "deeper",
        ),
        ("a: 1\nb: &b [1, *b]\n", 2, "`*b` stands for itself"),
        ("a: 1\nb: &b {c: {<<: *b}}\n", 2, "`*b` stands for itself"),
        ("a: " + "x" * 4_000_000, 1, "has 4,000,003 bytes"),
        ("a: 1\n" * 200_000, 50_000, "stands for more than 100,000 values"),
    ],
)
def test_a_file_that_stands_for_too_much_is_refused(tmp_path: Path, text: str, line: int, what: str) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text(text)
    file = read_yaml(path)
    (issue,) = file.issues
    assert (file.readable, file.data, issue.line, issue.code) == (False, None, line, "too_large")
    assert what in issue.message


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "contract.yaml")
    (issue,) = read_yaml(tmp_path / "contract.yaml").issues
    assert (issue.message, issue.code) == ("is not a file", "no_file")


def test_aliases_may_be_used(tmp_path: Path) -> None:
    path = tmp_path / "contract.yaml"
    path.write_text("a: &a {x: 1, y: [1, 2]}\nb: [*a, *a]\nc: {<<: *a, x: 2}\nd: &d 5\ne: *d\n")
    a = {"x": 1, "y": [1, 2]}
    assert read_yaml(path).data == {"a": a, "b": [a, a], "c": {"x": 2, "y": [1, 2]}, "d": 5, "e": 5}
