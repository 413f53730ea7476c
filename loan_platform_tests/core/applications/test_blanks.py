"""White space around a value is cut alike in SQL, frames and Python: in files, batch jobs, requests and drafts."""

import re
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bento.http.bodies import csv_rows
from loan_platform.core.applications.application_schema import ApplicationField
from loan_platform.core.applications.frame_reader import FrameReader
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.book.column_types import BLANKS, spelling, trimmed
from loan_platform.core.drafting.reading.survey import survey
from loan_platform.core.staging.keys import canonical_key, canonical_keys
from loan_platform_tests.support.bundles import ranged_model
from loan_platform_tests.support.small_books.one_column import staged, table_of

READER = ApplicationReader(ranged_model())
FRAMES = FrameReader(READER)
NONE = "unknown_category"
MISSING = ("", "NA", "n/a")
SPACE = st.text(st.sampled_from([*BLANKS, "\u200b", "\ufeff"]), max_size=3)
WORDS = st.tuples(SPACE, st.sampled_from(["a", "NA", "", "new york", "New\u00a0 York", "Süd"]), SPACE)
TEXTS = st.lists(WORDS.map("".join), min_size=1, max_size=8)


def test_blanks_are_what_python_cuts() -> None:
    assert set(BLANKS) == {letter for letter in map(chr, range(0x110000)) if letter.isspace()}
    assert trimmed(f"{BLANKS}a{BLANKS}b{BLANKS}") == f"a{BLANKS}b"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(TEXTS)
def test_texts_and_categories_are_trimmed_alike(texts: list[str]) -> None:
    plain = [trimmed(text) for text in texts]
    expected = [None if text in MISSING else text for text in plain]
    assert staged(table_of(type="text"), texts) == expected
    assert pl.Series(texts).str.strip_chars(BLANKS).to_list() == plain
    allowed = {spelling(word): word for word in ("New York", "Süd")}
    categories = [None if text in MISSING else allowed.get(spelling(text), NONE) for text in plain]
    assert staged(table_of(type="text", allowed=tuple(allowed.values())), texts) == categories


@settings(max_examples=40, deadline=None, derandomize=True)
@given(TEXTS)
def test_keys_are_trimmed_alike(texts: list[str]) -> None:
    keys = [canonical_key(text) for text in texts]
    assert pl.DataFrame({"x": texts}).select(canonical_keys(pl.col("x"))).to_series().to_list() == keys
    keyed = replace(table_of(type="text"), foreign_keys=frozenset("x"))
    assert staged(keyed, texts) == [None if key in MISSING else key for key in keys]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SPACE, SPACE, st.sampled_from(["north", "SÜD", "east\t", "West", "NA", ""]))
def test_a_category_is_read_alike_in_a_request_and_a_batch_job(before: str, after: str, word: str) -> None:
    text = f"{before}{word}{after}"
    row = {"loan_id": "1", "income": "5", "term": "36", "region": text}
    read = FRAMES.read(pl.DataFrame({"row": [1], **{name: [cell] for name, cell in row.items()}}), as_text=True)
    assert read.frame["region"].to_list() == requested({**row, "income": 5, "term": 36})
    quoted = '","'.join(row.values())
    (many,) = csv_rows(f'{",".join(row)}\n"{quoted}"\n'.encode(), READER.columns, READER.missing, 1)
    assert (many["region"] is None) is (trimmed(text) in READER.missing)


def requested(row: dict[str, Any]) -> list[str]:
    try:
        return READER.read(row)["region"].to_list()
    except ApplicationError:
        return []


@pytest.mark.parametrize("blank", [*BLANKS])
def test_every_type_of_a_file_is_read_between_blanks(blank: str) -> None:
    values = {"number": ("12.5", 12.5), "percent": ("1,012 %", 1012.0), "integer": ("36", 36),
              "boolean": ("yes", True), "date": ("5-Jan-15", date(2015, 1, 5))}  # fmt: skip
    for kind, (text, value) in values.items():
        given = [f"{blank}{text}{blank}{blank}", f"{blank}NA{blank}", f"{blank}{blank}", f"{blank}x", text]
        assert staged(table_of(type=kind), given) == [value, None, None, "unparseable", value], kind
    day = table_of(type="date", date_format="%d.%m.%Y")
    assert staged(day, [f"{blank}05.01.2015{blank}"]) == [date(2015, 1, 5)]


@pytest.mark.parametrize("blank", [*BLANKS])
def test_the_schema_of_a_request_knows_the_same_blanks(blank: str) -> None:
    (key,) = (field for field in READER.application.fields if field.is_key)
    required: ApplicationField = replace(key, required=True)
    pattern = re.compile(required.json_schema()["pattern"])
    assert pattern.search(f"{blank}77{blank}")
    for text in (f"{blank}NA{blank}", blank, f"{blank}1.0775e6{blank}"):
        assert not pattern.search(text)


@pytest.mark.parametrize("blank", [*BLANKS])
def test_a_draft_surveys_trimmed_texts(blank: str) -> None:
    texts = pl.DataFrame({"x": [f"{blank}a{blank}", "a", blank, "b"]})
    assert survey(texts, {"x": "x"})["x"].counts == {"a": 2, "b": 1}
