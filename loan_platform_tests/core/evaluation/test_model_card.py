"""The model card, of a model made by hand."""

from loan_platform.core.evaluation.bootstrap import Interval
from loan_platform.core.evaluation.evaluation_report import OpenWindowReport
from loan_platform.core.evaluation.model_card import SHOWN, model_card
from loan_platform_tests.support.books import car_loans
from loan_platform_tests.support.bundles import scoring_model
from loan_platform_tests.support.evaluations import evaluation


def test_the_card_says_what_training_left_out():
    found = evaluation(0.5).model_copy(update={"intervals": dict.fromkeys(SHOWN, Interval(0.5, 0.4, 0.6))})
    assert "left out |" not in model_card(car_loans(), scoring_model(), found)
    told = found.model_copy(update={"left_out": {"region": "too few levels"}})
    assert "| input | left out |\n| --- | --- |\n| region | too few levels |" in model_card(
        car_loans(), scoring_model(), told
    )


def test_the_card_has_the_reason_of_an_accepted_sign():
    found = evaluation(0.5).model_copy(update={"intervals": dict.fromkeys(SHOWN, Interval(0.5, 0.4, 0.6))})
    assert "sign of a leak" not in model_card(car_loans(), scoring_model(), found)
    told = found.model_copy(update={"accepted_signs": {"region": "The register has it."}})
    assert "region shows a sign of a leak. It is accepted: The register has it." in model_card(
        car_loans(), scoring_model(), told
    )


def test_the_card_says_where_open_loans_differ():
    found = evaluation(0.5).model_copy(update={"intervals": dict.fromkeys(SHOWN, Interval(0.5, 0.4, 0.6))})
    alike = OpenWindowReport(part="fit", known=900, open_loans=30, unlike={})
    test = OpenWindowReport(part="test", known=1_000, open_loans=90, unlike={"term": 0.93, "income": 0.38})
    split = found.split.model_copy(update={"open_windows": (alike, test)})
    card = model_card(car_loans(), scoring_model(), found.model_copy(update={"split": split}))
    assert (
        "In test: the 90 open loans of its months are not like the 1,000 known ones by term (0.93), income (0.38), "
        "where 0.50 is alike."
    ) in card
    assert "In fit:" not in card
