"""The format of logged MLflow models: which of them this version of the platform can load.

| format | change |
| --- | --- |
| 1 | the logged code imports modules at the paths they had before they moved into rooms |
| 2 | the logged code imports only `bundle_model.py` |
"""

from importlib.metadata import version

from loan_platform.core.errors import ExplainedError

MODEL_FORMAT = 2
FORMAT_TAG = "model_format"  # of logged models and registered versions; without it the format is 1


class ModelFormatError(ExplainedError, ImportError):
    """A logged model has a format that this version cannot load."""


def require_format(found: int) -> None:
    """Check the format of a logged model.

    Raises:
        ModelFormatError: it is not `MODEL_FORMAT`.
    """
    if found != MODEL_FORMAT:
        raise ModelFormatError(
            f"This MLflow model has format {found}, and loan-platform {version('loan-platform')} loads format "
            f"{MODEL_FORMAT}. Train and promote again, which logs the model in format {MODEL_FORMAT}."
        )
