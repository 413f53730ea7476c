"""Every answer that batch scoring gave, for ever: what was decided is not rewritten by a later model."""

import polars as pl

from loan_platform.core.book.constants import CONTENT

ANSWER_NUMBER = "answer_number"


def with_new_answers(history: pl.DataFrame | None, scored: pl.DataFrame, entity_key: str) -> pl.DataFrame:
    """Add answers to the history of a batch.

    An answer is added where the history has none by the same model version to the same values of the application.

    Args:
        history: what an earlier call returned; None at first.
        scored: one row per application: key, `content` (MD5 of its values), `model_version` and the answer.
        entity_key: the key.

    Returns:
        The columns of `scored` and `answer_number`, which counts the answers to one key from 1. Sorted by both.
    """
    if history is None:
        return scored.with_columns(pl.lit(1, pl.Int64).alias(ANSWER_NUMBER)).sort(entity_key)
    new = scored.join(history, on=[entity_key, CONTENT, "model_version"], how="anti")
    earlier = history.group_by(entity_key).agg(pl.col(ANSWER_NUMBER).max())
    number = pl.col(ANSWER_NUMBER).fill_null(0) + 1
    numbered = new.join(earlier, on=entity_key, how="left", maintain_order="left").with_columns(number)
    return pl.concat([history, numbered.select(history.columns)]).sort(entity_key, ANSWER_NUMBER)


def as_decided(history: pl.DataFrame, current: pl.DataFrame, entity_key: str) -> pl.DataFrame:
    """The answer that counts for each application: the first one to its values as they are now.

    A later model that scores the same application again decides nothing. A corrected application is decided anew.

    Args:
        history: of a batch.
        current: key and `content` of the applications that are in the batch now.
        entity_key: the key.
    """
    to_these_values = history.join(current, on=[entity_key, CONTENT], how="semi")
    return to_these_values.sort(entity_key, ANSWER_NUMBER).unique(entity_key, keep="first", maintain_order=True)
