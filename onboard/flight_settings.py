"""The settings file of a flight: TOML tables into one record."""

from __future__ import annotations

from dataclasses import dataclass, field

from onboard.inference import InferenceSettings


@dataclass(frozen=True)
class FlightSettings:
    """Every key has a default; an empty file is a good one."""

    inference: InferenceSettings = field(default_factory=InferenceSettings)
