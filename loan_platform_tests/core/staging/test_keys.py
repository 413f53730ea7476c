"""A key has one form, in SQL, in Python and in JSON schemas."""

import re
from dataclasses import replace

import polars as pl
import pytest

from loan_platform.core.staging.keys import NoKeyError, canonical_key, canonical_keys, refused_pattern
from loan_platform_tests.support.small_books.one_column import staged, table_of

KEYS = {
    "1077501": "1077501",
    " 1077501.0 ": "1077501",
    "1077501.": "1077501",
    "1077501.000000": "1077501",
    "-7.0": "-7",
    "007.0": "007",
    "A-12.0": "A-12.0",
    "2e5": "2e5",
    "12e4567": "12e4567",
    "1.2.3": "1.2.3",
    "1077501,2,3": "1077501,2,3",
}
NO_KEYS = [
    *("1.0775e6", "1.0775E+06", "1e+06", "1,0775E+06", "1077501.5", "1077501,0", "1,077,501", "1.077.501", "12.000"),
    *("1,077,501.00", "+3.5", "1.5e-7"),
]


@pytest.mark.parametrize("text", KEYS)
def test_whole_numbers_and_texts_are_keys(text: str) -> None:
    assert canonical_key(text) == KEYS[text]
    assert not re.fullmatch(refused_pattern(), text.strip())


@pytest.mark.parametrize("text", NO_KEYS)
def test_numbers_that_lost_their_form_are_no_keys(text: str) -> None:
    with pytest.raises(NoKeyError):
        canonical_key(text)
    assert re.fullmatch(refused_pattern(), text)


def test_staging_reads_keys_in_the_same_way() -> None:
    table = table_of(type="text", required=True)
    keyed = replace(table, key=("x",))
    assert staged(keyed, [*KEYS]) == [*KEYS.values()]
    assert staged(keyed, NO_KEYS) == ["unparseable"] * len(NO_KEYS)


def test_a_column_of_keys_is_read_in_the_same_way() -> None:
    texts = pl.DataFrame({"x": [*KEYS, *NO_KEYS, None]})
    assert texts.select(canonical_keys(pl.col("x"))).to_series().to_list() == [
        *KEYS.values(),
        *[None] * (len(NO_KEYS) + 1),
    ]


def test_a_key_that_is_a_number_has_no_exponent() -> None:
    table = table_of(type="integer", required=True)
    keyed = replace(table, key=("x",))
    assert staged(keyed, ["1077501.0", "1.0775e6"]) == [1077501, "unparseable"]
