"""Fits side by side are the fits one after the other, in their order."""

from dataclasses import replace

import numpy as np
import pytest

from loan_platform.core.models.base import FitContext, Sample
from loan_platform.core.models.families import FITTED
from loan_platform.core.training.parallel_fits import fit_each


def samples() -> list[Sample]:
    rng = np.random.default_rng(1)
    sizes = (300, 900, 600)
    parts = [rng.normal(size=(rows, 3)).astype(np.float32) for rows in sizes]
    return [Sample(x, (x[:, 0] + rng.normal(size=len(x)) > 1).astype(np.float64)) for x in parts]


CONTEXT = FitContext(columns=("a", "b", "c"), monotone=(0, 0, 0), seed=1, threads=2)


@pytest.mark.parametrize("family", ["scorecard", "gradient_boosting", "random_forest", "mlp"])
@pytest.mark.parametrize("all_wanted", [True, False])
def test_models_come_in_the_order_of_their_samples(family: str, all_wanted: bool):
    params = FITTED[family].suggest(None)
    expected = [FITTED[family].fit(sample, replace(CONTEXT, threads=1), params) for sample in samples()]
    assert list(fit_each(FITTED[family], samples(), CONTEXT, params, all_wanted=all_wanted)) == expected
    assert expected[0] != expected[1] != expected[2]


def test_an_error_of_one_fit_is_raised():
    params, wrong = FITTED["scorecard"].suggest(None), replace(samples()[1], target=np.array([0.0, 1.0, 0.0, 1.0, 0.0]))
    models = fit_each(FITTED["scorecard"], [samples()[0], wrong], CONTEXT, params)
    with pytest.raises(ValueError, match="5"):
        list(models)


def test_a_sample_that_was_fitted_before_gives_the_same_models():
    used = samples()[1]
    for family in ("random_forest", "gradient_boosting", "random_forest", "scorecard"):
        params = FITTED[family].suggest(None)
        fresh = FITTED[family].fit(samples()[1], CONTEXT, params)
        assert FITTED[family].fit(used, CONTEXT, params) == fresh
    assert list(used.derived) == ["bins"]
