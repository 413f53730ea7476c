"""Code of a logged MLflow model. MLflow copies this file beside the bundle and runs it to load the model.

The model needs the installed loan_platform. Its golden rows, checked at load, prove that it scores as at training.
"""

from mlflow.models import set_model

from loan_platform.adapters.tracking.bundle_model import BundleModel

set_model(BundleModel(model_format=2))
