"""The MLflow model, as code: MLflow keeps a copy of this file beside the bundle and runs it to load the
model.

It relies on the installed loan_platform; the bundle's golden rows, checked at load, show that it still scores
to the bit as it did at training. Nothing else in the platform imports this module.
"""

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from loan_platform.adapters.pandas_frames import typed_frame
from loan_platform.core.bundle import load_bundle
from loan_platform.settings import quiet_environment

quiet_environment()


class BundleModel(PythonModel):
    """Scores typed application columns with the verified bundle."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load and verify the bundle; a damaged one is refused."""
        self.bundle = load_bundle(Path(context.artifacts["bundle"]))

    def predict(  # pyright: ignore[reportIncompatibleMethodOverride]  # MLflow's returns nothing
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Columns `probability` (of default) and `score` (points), one row per input row, same index."""
        model = self.bundle.model
        frame = typed_frame(model_input, model.inputs)
        scored = model.score(frame)
        columns = {name: scored[name].to_numpy() for name in ("probability", "score")}
        return pd.DataFrame(columns, index=model_input.index)


set_model(BundleModel())
