"""What every part of a configuration file shares: unknown keys are refused, models have names."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["NAME_PATTERN", "Named", "Strict"]

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class Strict(BaseModel):
    """Settings that refuse a key they do not know and a number without end, and never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Named(Strict):
    """Settings of one model."""

    name: str = Field(pattern=NAME_PATTERN, description="how reports and policies call this model")
