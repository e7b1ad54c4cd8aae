"""What all sections of the configuration file have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A mapping of the file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:  # noqa: ANN401 - pydantic's signature
        """The section without keys that have no value.

        Such a key counts as missing, also where everything below it is commented out.
        """
        return {key: part for key, part in value.items() if part is not None} if isinstance(value, dict) else value
