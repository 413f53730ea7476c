"""The stages of a book's pipeline. Each asset has a tag `stage`, and jobs and policies select by it."""

from typing import Final, Literal

Stage = Literal[
    "ingestion", "training", "promotion", "policy", "scoring", "monitoring", "service_monitoring", "serving"
]

STAGE: Final = "stage"
