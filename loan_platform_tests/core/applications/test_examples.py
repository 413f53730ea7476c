"""Applications that nobody made: accepted, ordinary, of each band that can be reached, and nobody's."""

from dataclasses import replace
from pathlib import Path

import pytest

from loan_platform.core.applications.examples import ExampleApplications
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.scoring.bundle import Bundle, load_bundle
from loan_platform.core.scoring.predictor import Predictor
from loan_platform_tests.support.bundles import make_bundle, make_ranged_bundle
from loan_platform_tests.support.service.running import stated


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("examples") / "bundle"
    make_ranged_bundle(folder)
    return load_bundle(folder)


@pytest.fixture(scope="module")
def examples(bundle: Bundle) -> ExampleApplications:
    return ExampleApplications(bundle.model, ApplicationReader(bundle.model), bundle.reference)


def test_each_risk_band_has_an_accepted_application_of_it(bundle: Bundle, examples: ExampleApplications) -> None:
    reader, predictor = ApplicationReader(bundle.model), Predictor(bundle.model)
    assert set(examples.by_risk) == {"low", "medium", "high"}
    found = {risk: predictor.predict_one(reader.read(values)) for risk, values in examples.by_risk.items()}
    assert {risk: answer.risk for risk, answer in found.items()} == {"low": "low", "medium": "medium", "high": "high"}
    assert (found["low"].decision, found["high"].decision) == ("approve", "decline")


def test_the_same_model_has_the_same_ones(bundle: Bundle, examples: ExampleApplications) -> None:
    again = ExampleApplications(bundle.model, ApplicationReader(bundle.model), bundle.reference)
    assert (again.ordinary, again.by_risk, again.spans) == (examples.ordinary, examples.by_risk, examples.spans)


def test_ordinary_values_are_central_in_the_development_sample(examples: ExampleApplications) -> None:
    assert 4_000 <= examples.ordinary["income"] <= 12_000  # of 1,000 to 17,000
    assert 10 <= examples.ordinary["utilisation"] <= 30  # of 0 to 39
    assert examples.ordinary["term"] == 36  # two of three
    assert examples.ordinary["region"] == "north"  # three of four


def test_spans_are_within_the_contract_and_not_a_point(examples: ExampleApplications) -> None:
    assert set(examples.spans) == {"income", "utilisation", "term"}
    low, high = examples.spans["utilisation"] or (0.0, 0.0)
    assert 0 <= low < high <= 100


def test_nobody_of_the_golden_rows_is_among_them(bundle: Bundle, examples: ExampleApplications) -> None:
    golden = [stated(row) for row in bundle.golden.frame(bundle.model).to_dicts()]
    people = [{name: value for name, value in row.items() if value is not None} for row in golden]
    for values in (examples.ordinary, *examples.by_risk.values()):
        assert values not in people


def test_a_band_that_is_out_of_reach_is_not_there(bundle: Bundle) -> None:
    policy = bundle.model.policy
    rule = policy.decision.model_copy(update={"medium_from": 0.99, "high_from": 0.999, "decline_from": 0.9999})
    model = replace(bundle.model, policy=policy.model_copy(update={"decision": rule}))
    assert set(ExampleApplications(model, ApplicationReader(model), bundle.reference).by_risk) == {"low"}


def test_without_a_reference_they_come_from_the_ranges_alone(tmp_path: Path) -> None:
    make_bundle(tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    reader = ApplicationReader(bundle.model)
    found = ExampleApplications(bundle.model, reader, {})
    assert set(found.ordinary) == {column.name for column in bundle.model.inputs}
    assert found.by_risk
    assert reader.read(found.ordinary).height == 1
