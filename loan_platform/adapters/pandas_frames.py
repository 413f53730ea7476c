"""The path that logged MLflow models of format 1 import. It exists only to report their format."""

from loan_platform.adapters.tracking.model_format import require_format

require_format(1)
