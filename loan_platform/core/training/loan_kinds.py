"""Kinds of loans that have enough loans to be judged by themselves."""

import polars as pl

POOL = 200  # loans; the share of fewer is noise: one open loan of eight is 12 %
MAX_KINDS = 50


def common_kinds(kind: pl.Series) -> pl.Series:
    """The kind of each loan as text; null where too few loans are of it, which are judged as all loans are.

    The 50 most frequent kinds count, of those with `POOL` loans. A missing value is a kind.

    Args:
        kind: of each loan, such as its term.
    """
    text = kind.cast(pl.String).fill_null("missing").alias("kind")
    counted = text.value_counts(name="loans").filter(pl.col("loans") >= POOL)
    common = counted.sort(["loans", "kind"], descending=[True, False]).head(MAX_KINDS)["kind"]
    return text.set(~text.is_in(common.implode()), None).alias(kind.name)


def why_no_kind(kind: pl.Series) -> str | None:
    """Why a feature does not tell kinds of loans: it has many values that few loans share. None: it tells them."""
    rare, values = common_kinds(kind).null_count(), kind.n_unique()
    if values <= MAX_KINDS or rare <= len(kind) / 2:
        return None
    return (
        f"split.mature_by: {kind.name!r} has {values:,} values, and {rare:,} of {len(kind):,} loans have a "
        f"value that too few loans share (fewer than {POOL}, or none of the {MAX_KINDS} most frequent); name a feature "
        "with few values, such as the term, or one that groups them"
    )
