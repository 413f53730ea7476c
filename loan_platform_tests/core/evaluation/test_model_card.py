"""The model card, of a model made by hand."""

from loan_platform.core.evaluation.bootstrap import Interval
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
