"""A sample of rows in their order that no period of a file can bias."""

import numpy as np
from numpy.typing import NDArray

_STEP, _BITS = 2_654_435_761, 32  # of Knuth's multiplicative hash


def sampled_rows(rows: int, most: int) -> NDArray[np.int64]:
    """Rows of a sample: all of them, or one of each `k` in a row, at a place that a hash of the group's number says.

    Every k-th row would be the same borrower, outcome or branch where these alternate in the file.

    Args:
        rows: their number.
        most: largest size of the sample.
    """
    every = max(1, -(-rows // most))
    groups = np.arange(-(-rows // every), dtype=np.uint64)
    mixed = (groups * np.uint64(_STEP)) % np.uint64(2**_BITS)
    place = (mixed * np.uint64(every)) >> np.uint64(_BITS)
    found = (groups * np.uint64(every) + place).astype(np.int64)
    return found[found < rows]
