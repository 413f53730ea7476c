"""The MLflow model of a bundle. Logged models import this module by its path, so it must not move."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from loan_platform.adapters.tracking.model_format import require_format
from loan_platform.adapters.tracking.pandas_frames import reject_invalid, typed_frame
from loan_platform.core.scoring.answer import ANSWER_SCHEMA
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.core.scoring.predictor import Predictor
from loan_platform.settings.quiet import quiet_environment


class BundleModel(PythonModel):
    """Scores typed application columns with the verified bundle.

    Args:
        model_format: format of the logged model.

    Raises:
        ModelFormatError: this version of the platform cannot load the format.
    """

    def __init__(self, model_format: int) -> None:
        require_format(model_format)
        quiet_environment()

    def load_context(self, context: PythonModelContext) -> None:
        """Load and verify the bundle.

        Raises:
            BundleError: the bundle is damaged, cannot be read, or is not the one that was logged.
        """
        sha256 = (context.model_config or {}).get("bundle_sha256")  # models of earlier releases have none
        self.predictor = Predictor(load_bundle(Path(context.artifacts["bundle"]), expected_sha256=sha256).model)

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]  # MLflow's method returns nothing
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Score applications.

        Args:
            context: of MLflow, unused.
            model_input: application columns of the contract, one row per application.
            params: of MLflow, unused.

        Returns:
            Probability of default, score, risk, decision, expected loss and reasons, with the index of `model_input`.
            `reasons` is a JSON list of code, text, value and points; it is empty unless the decision is to decline.

        Raises:
            FrameError: a required column is missing, a column has values of another type or out of range, or a row
                breaks a critical row rule of the contract.
        """
        frame = typed_frame(model_input, self.predictor.model.inputs)
        reject_invalid(frame, self.predictor.model)
        answers = self.predictor.predict_frame(frame)
        columns = {name: answers[name].to_list() for name in ANSWER_SCHEMA}
        columns["reasons"] = [json.dumps(reasons, ensure_ascii=False) for reasons in columns["reasons"]]
        return pd.DataFrame(columns, index=model_input.index)
