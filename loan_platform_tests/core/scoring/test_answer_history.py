"""Answers that were given stay; the first answer to the last application is the one that decided."""

import polars as pl

from loan_platform.core.scoring.answer_history import as_decided, with_new_answers


def scored(version: int, **applications: tuple[str, float]) -> pl.DataFrame:
    rows = [(key, content, probability, version) for key, (content, probability) in applications.items()]
    return pl.DataFrame(rows, schema=["loan", "content", "probability", "model_version"], orient="row")


def current(**contents: str) -> pl.DataFrame:
    return pl.DataFrame(list(contents.items()), schema=["loan", "content"], orient="row")


def test_a_later_model_adds_an_answer_and_decides_nothing() -> None:
    first = with_new_answers(None, scored(1, b=("x", 0.2), a=("y", 0.1)), "loan")
    both = with_new_answers(first, scored(2, a=("y", 0.4), b=("x", 0.5), c=("z", 0.6)), "loan")
    assert both.select("loan", "answer_number", "model_version", "probability").rows() == [
        ("a", 1, 1, 0.1),
        ("a", 2, 2, 0.4),
        ("b", 1, 1, 0.2),
        ("b", 2, 2, 0.5),
        ("c", 1, 2, 0.6),
    ]
    decided = as_decided(both, current(a="y", b="x", c="z"), "loan")
    assert decided.select("loan", "probability").rows() == [("a", 0.1), ("b", 0.2), ("c", 0.6)]


def test_the_same_answer_again_adds_nothing() -> None:
    first = with_new_answers(None, scored(1, a=("x", 0.1), b=("y", 0.2)), "loan")
    assert with_new_answers(first, scored(1, a=("x", 0.1)), "loan").equals(first)


def test_a_corrected_application_is_decided_anew() -> None:
    first = with_new_answers(None, scored(1, a=("x", 0.1)), "loan")
    corrected = with_new_answers(first, scored(1, a=("y", 0.3)), "loan")
    rescored = with_new_answers(corrected, scored(2, a=("y", 0.7)), "loan")
    assert rescored["probability"].to_list() == [0.1, 0.3, 0.7]
    assert as_decided(rescored, current(a="y"), "loan")["probability"].to_list() == [0.3]


def test_a_batch_without_applications_keeps_its_history() -> None:
    first = with_new_answers(None, scored(1, a=("x", 0.1)), "loan")
    assert with_new_answers(first, first.clear().drop("answer_number"), "loan").equals(first)


def test_a_correction_that_is_taken_back_counts_as_at_first() -> None:
    first = with_new_answers(None, scored(1, a=("x", 0.1)), "loan")
    corrected = with_new_answers(first, scored(1, a=("y", 0.9)), "loan")
    back = with_new_answers(corrected, scored(1, a=("x", 0.1)), "loan")
    assert back["probability"].to_list() == [0.1, 0.9]
    assert as_decided(back, current(a="x"), "loan")["probability"].to_list() == [0.1]


def test_applications_that_are_gone_decide_nothing() -> None:
    first = with_new_answers(None, scored(1, a=("x", 0.1), b=("y", 0.2)), "loan")
    assert as_decided(first, current(b="y"), "loan")["loan"].to_list() == ["b"]
