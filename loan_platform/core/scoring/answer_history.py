"""Every answer that batch scoring gave, for ever: what was decided is not rewritten by a later model."""

import polars as pl

CONTENT = "content"
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


def as_decided(history: pl.DataFrame, entity_key: str) -> pl.DataFrame:
    """The answer that counts for each key: the first one to the last values of its application.

    A later model that scores the same application again decides nothing. A corrected application is decided anew.
    """
    ordered = history.sort(entity_key, ANSWER_NUMBER)
    last_values = pl.col(CONTENT) == pl.col(CONTENT).last().over(entity_key)
    return ordered.filter(last_values).unique(entity_key, keep="first", maintain_order=True)
