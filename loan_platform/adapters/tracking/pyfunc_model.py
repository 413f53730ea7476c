"""The MLflow model, as code: MLflow keeps a copy of this file beside the bundle and runs it to load the
model.

It relies on the installed loan_platform; the bundle's golden rows, checked at load, show that it still scores
to the bit as it did at training. Nothing else in the platform imports this module.
"""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from loan_platform.adapters.tracking.pandas_frames import typed_frame
from loan_platform.core.scoring.answer import ANSWER_SCHEMA
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.settings.quiet import quiet_environment

quiet_environment()


class BundleModel(PythonModel):
    """Scores typed application columns with the verified bundle."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load and verify the bundle; a damaged one is refused."""
        self.predictor = Predictor(load_bundle(Path(context.artifacts["bundle"])).model)

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]  # MLflow's returns nothing
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Probability of default, score, risk, decision, expected loss and reasons; one row per input row, same index.

        The reasons of what is declined, as JSON: code, text, value and points of each; of the rest an empty list.
        """
        answers = self.predictor.predict_frame(typed_frame(model_input, self.predictor.model.inputs))
        columns = {name: answers[name].to_list() for name in ANSWER_SCHEMA}
        columns["reasons"] = [json.dumps(reasons, ensure_ascii=False) for reasons in columns["reasons"]]
        return pd.DataFrame(columns, index=model_input.index)


set_model(BundleModel())
