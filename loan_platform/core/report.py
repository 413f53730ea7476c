"""Base of the reports: JSON files that one asset writes and others read."""

import json
from typing import Self

from pydantic import BaseModel, ConfigDict


class Report(BaseModel):
    """A frozen model with a fixed JSON form: the same values give the same bytes."""

    model_config = ConfigDict(frozen=True)

    def to_json(self) -> str:
        """The report as JSON text with one value per line."""
        return json.dumps(self.model_dump(mode="json"), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Raises:
            pydantic.ValidationError: a value is missing or has another type.
        """
        return cls.model_validate_json(text)
