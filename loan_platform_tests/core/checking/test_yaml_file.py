"""What YAML itself refuses, or keeps to itself, is told with the line that has to be changed."""

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
