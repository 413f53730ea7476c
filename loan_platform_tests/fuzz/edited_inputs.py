"""Edited copies of sound inputs for a parser, for a number of examples or for a time."""

import itertools
import os
import time
from collections.abc import Callable, Sequence

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "30"))
SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))  # for each parser; 0: one round of examples

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@st.composite
def edited(draw: st.DrawFn, sound: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """One of these inputs after up to four cuts and insertions, of bytes or of tokens of its language."""
    data = draw(st.sampled_from(sound))
    for _ in range(draw(st.integers(0, 4))):
        at, cut = draw(st.integers(0, len(data))), draw(st.sampled_from([0, 0, 1, 2, 9, 60, len(data)]))
        put = draw(st.one_of(st.binary(max_size=4), st.sampled_from(tokens), st.sampled_from(tokens)))
        data = data[:at] + put * draw(st.sampled_from([1, 1, 1, 2, 70, 4_000])) + data[at + cut :]
    return data


def explore(check: Callable[[bytes], None], inputs: "st.SearchStrategy[bytes]") -> None:
    """Check inputs: one round of examples, and further rounds with other seeds until the time is over.

    Args:
        check: fails where the parser does not do what it promises.
        inputs: such as `edited`.
    """
    end = time.monotonic() + SECONDS
    for number in itertools.count():
        found = given(inputs)(check)
        limits = settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=SLOW)
        seed(number)(limits(found))()
        if time.monotonic() >= end:
            return
