"""Parameters that an autopilot needs for an output, as files in `presets/`; how the live ones
differ and why that matters. Writing is left to the ground, and to who asks for it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from onboard.autopilot.parameters import ParameterClient, same_value
from onboard.errors import InputError
from onboard.flight_settings import Output
from onboard.settings import load_settings
from onboard.telemetry_messages import VehicleState

FOLDER = Path(__file__).parent / "presets"
Version = tuple[int, int]  # major, minor


@dataclass(frozen=True)
class WantedParameter:
    """value is what to set. Others pass where `allowed` lists them or lowest..highest holds
    them. why: one sentence."""

    name: str
    value: float
    why: str
    allowed: tuple[float, ...] = ()
    lowest: float = math.inf
    highest: float = -math.inf
    needs_reboot: bool = False

    def __post_init__(self) -> None:
        if not self.accepts(self.value) or not math.isfinite(self.value):
            raise ValueError(f"{self.name}: value {self.value} is not among those allowed")

    def accepts(self, value: float) -> bool:
        if self.lowest <= value <= self.highest:
            return True
        ranged = math.isfinite(self.lowest) and math.isfinite(self.highest)
        return any(
            same_value(value, good) for good in (self.allowed or (() if ranged else (self.value,)))
        )

    @property
    def said(self) -> str:
        """What passes, in words."""
        if self.lowest <= self.highest:
            return f"{self.lowest:g} to {self.highest:g}"
        return " or ".join(f"{v:g}" for v in self.allowed or (self.value,))


@dataclass(frozen=True)
class Preset:
    """oldest, before: the releases it is for, the second not among them; none for any. kind ''
    is any."""

    title: str
    autopilot: str
    outputs: tuple[Output, ...]
    parameters: tuple[WantedParameter, ...]
    kind: str = ""
    oldest: tuple[int, ...] = ()
    before: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    def fits(self, autopilot: str, kind: str, version: Version | None) -> bool:
        """version None: the newest release."""
        if self.autopilot != autopilot or self.kind not in ("", kind):
            return False
        if version is None:
            return not self.before
        return (not self.oldest or self.oldest <= version) and (
            not self.before or version < self.before
        )


@dataclass(frozen=True)
class Difference:
    """A parameter that is not as it should be; value None: the autopilot has none by the name."""

    wanted: WantedParameter
    value: float | None

    @property
    def said(self) -> str:
        """One clause: what is, what should be, why it matters."""
        have = "absent" if self.value is None else f"{self.value:g}"
        return f"{self.wanted.name} is {have}, should be {self.wanted.said}: {self.wanted.why}"


@cache
def presets() -> tuple[Preset, ...]:
    """All shipped, by file name. Raises InputError: a file of them is damaged."""
    return tuple(load_settings(path, Preset) for path in sorted(FOLDER.glob("*.toml")))


def choose(
    autopilot: str, kind: str, version: Version | None, outputs: Collection[Output]
) -> tuple[Preset, ...]:
    """Those that fit the vehicle (`VehicleState`, its release where known) and any of the
    outputs. Several for one output differ in the release: see `best`."""
    wanted = set(outputs)
    return tuple(
        p for p in presets() if p.fits(autopilot, kind, version) and wanted.intersection(p.outputs)
    )


def best(choice: Sequence[Preset], values: Mapping[str, float]) -> tuple[Preset, ...]:
    """One for each set of outputs: that of whose parameters the autopilot has most."""
    kept: dict[tuple[Output, ...], Preset] = {}
    for preset in choice:
        other = kept.get(preset.outputs)
        if other is None or _known(preset, values) > _known(other, values):
            kept[preset.outputs] = preset
    return tuple(kept.values())


def differences(preset: Preset, values: Mapping[str, float]) -> list[Difference]:
    """values: what the autopilot has of `preset.names`."""
    return [
        Difference(p, values.get(p.name))
        for p in preset.parameters
        if p.name not in values or not p.accepts(values[p.name])
    ]


def apply(
    found: Sequence[Difference], client: ParameterClient, vehicle: VehicleState | None
) -> list[WantedParameter]:
    """Orders the client to write what differs, and returns that; the client's outcomes tell how
    it went. A parameter that is absent may appear after a reboot: ask again then.

    Raises InputError: the vehicle is armed, or isn't known to be disarmed.
    """
    if vehicle is None:
        raise InputError("parameters: the autopilot's heartbeat was not heard; connect it first")
    if vehicle.armed:
        raise InputError("parameters: the vehicle is armed; disarm it to write them")
    ordered = [d.wanted for d in found if d.value is not None]
    for wanted in ordered:
        client.write(wanted.name, wanted.value)
    return ordered


def _known(preset: Preset, values: Mapping[str, float]) -> float:
    return sum(name in values for name in preset.names) / len(preset.names)
