"""Parts and folds by a hash of the loan's key, for a book without months."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from loan_platform.core.book.training_policies import SplitPolicy


def by_hash(known: pl.DataFrame, policy: SplitPolicy) -> pl.DataFrame:
    """Parts and folds by the rank of each key's hash among the loans of its outcome.

    So every part has the default rate of the book, however rare defaults are. A loan changes its part only if other
    loans of its outcome come or go and its rank is at the border.
    """
    position = _rank_share(known, known["key"])
    training = (position - policy.test_share) / (1 - policy.test_share)  # [0, 1) within the training loans
    part = np.where(position < policy.test_share, 2, np.where(training < policy.calibration_share, 1, 0))
    split = known.with_columns(part=pl.Series(part, dtype=pl.Int8), vintage=pl.lit(None, dtype=pl.Date))
    parts = [rows.with_columns(block=_folds(rows, policy.folds)) for _, rows in split.group_by(pl.col("part") == 2)]
    return pl.concat(parts).sort("part", "key")


def _folds(loans: pl.DataFrame, folds: int) -> pl.Series:
    share = _rank_share(loans, "fold " + loans["key"])
    return pl.Series((share * folds).astype(np.int64))


def _rank_share(loans: pl.DataFrame, text: pl.Series) -> NDArray[np.float64]:
    """Rank of each text's hash among the loans of the same outcome, from 0 to below 1."""
    hashed = loans.select("target", "key", hash=pl.Series(stable_hash(text)))
    ordered = hashed.with_row_index("row").sort("hash", "key")
    rank = ordered.with_columns(share=pl.int_range(pl.len()).over("target") / pl.len().over("target"))
    return rank.sort("row")["share"].to_numpy()


def stable_hash(key: pl.Series) -> NDArray[np.uint32]:
    """A hash of each key's text, the same in every library version, process and platform. Shape [rows].

    FNV-1a over the UTF-8 bytes, then the upper half of the 64-bit finalizer of MurmurHash3.
    """
    text = key.cast(pl.String).fill_null("").cast(pl.Binary)
    sizes = text.bin.size().to_numpy().astype(np.int64)
    data = np.frombuffer(b"".join(text.to_list()), np.uint8)
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1])).astype(np.int64)
    hashed = np.full(len(sizes), 0xCBF29CE484222325, np.uint64)
    prime = np.uint64(0x100000001B3)
    for position in range(int(sizes.max(initial=0))):
        live = np.flatnonzero(sizes > position)
        hashed[live] = (hashed[live] ^ data[starts[live] + position]) * prime
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hashed = (hashed ^ (hashed >> np.uint64(33))) * np.uint64(factor)
    return ((hashed ^ (hashed >> np.uint64(33))) >> np.uint64(32)).astype(np.uint32)
