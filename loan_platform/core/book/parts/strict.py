"""What every part of a book's files is made of: strict models, and the texts and numbers in them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


def is_empty(value: tuple[str, ...]) -> bool:
    """Contracts without the key have the same bytes, in bundles and hashes, as before it existed."""
    return not value


def is_none(value: object) -> bool:
    """As `is_empty`, for a key whose default is null."""
    return value is None


class Strict(BaseModel):
    """Base of everything that is read from YAML. Unknown keys are rejected, and values never change.

    A field with a new name has `validation_alias=AliasChoices(new name, old name)`: files with the old name still load.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
