"""A simulated flight as a TOML file tells it: mission, faults, rendering, what must hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from onboard.camera import Mounting
from onboard.errors import InputError, nearest_known
from onboard.flight_settings import PublishSettings, TakeoverSettings
from onboard.reasons import GnssState, Mode, Reason
from onboard.settings import load_settings

FOLDER = Path(__file__).parent / "scenarios"
MAX_SECONDS = 36_000.0


class FaultKind(str, Enum):
    """What goes wrong. Those of GNSS are the autopilot's simulated receiver's."""

    GNSS_OFF = "gnss_off"  # reports no fix
    GNSS_SILENT = "gnss_silent"  # says nothing any more
    GNSS_JAM = "gnss_jam"
    GNSS_DRIFT = "gnss_drift"  # dragged away by `amount` m/s
    GNSS_JUMP = "gnss_jump"  # moved by `amount` m at once
    CAMERA_LOST = "camera_lost"  # no frames
    CAMERA_FROZEN = "camera_frozen"  # the same picture over and over
    CAMERA_BLURRED = "camera_blurred"
    LOW_LIGHT = "low_light"  # `amount`: share of the light left
    WRONG_HEIGHT = "wrong_height"  # the height is off by `amount` m
    NO_ATTITUDE = "no_attitude"  # the autopilot's attitude does not arrive
    AUTOPILOT_REBOOT = "autopilot_reboot"
    COMPANION_RESTART = "companion_restart"  # killed, and started anew


@dataclass(frozen=True)
class Fault:
    """at_s, for_s: seconds of the autopilot's clock from the command to take off; for_s 0
    lasts to the end; a fault of GNSS at 0 holds from before the arming on. towards_deg: of a
    drift or jump, clockwise from north."""

    kind: FaultKind
    at_s: float
    for_s: float = 0.0
    amount: float = 0.0
    towards_deg: float = 90.0

    @property
    def until_s(self) -> float:
        return self.at_s + self.for_s if self.for_s > 0.0 else math.inf

    def __post_init__(self) -> None:
        if not 0.0 <= self.at_s <= MAX_SECONDS or not 0.0 <= self.for_s <= MAX_SECONDS:
            raise ValueError(f"fault {self.kind.value}: give at_s and for_s from 0 to 36000 s")


@dataclass(frozen=True)
class Mission:
    """route_m: east, north of the take-off place, which lies start_m from the map's centre;
    flown round and round."""

    height_m: float = 100.0
    speed_m_s: float = 10.0
    start_m: tuple[float, float] = (0.0, 0.0)
    route_m: tuple[tuple[float, float], ...] = ((0.0, 150.0), (150.0, 0.0), (0.0, -150.0))

    def __post_init__(self) -> None:
        if not 5.0 <= self.height_m <= 3000.0:
            raise ValueError(f"mission.height_m is {self.height_m}; give 5 to 3000 m")
        if not 1.0 <= self.speed_m_s <= 40.0:
            raise ValueError(f"mission.speed_m_s is {self.speed_m_s}; give 1 to 40 m/s")
        if not self.route_m:
            raise ValueError("mission.route_m is empty; give at least one [east, north]")


@dataclass(frozen=True)
class SimulatedCamera:
    """frame_hz: pictures a second. delay_s: from the exposure until the companion has it;
    work_s: from there until its fix acts."""

    width_px: int = 640
    height_px: int = 480
    horizontal_fov_deg: float = 74.0
    frame_hz: float = 2.0
    delay_s: float = 0.06
    work_s: float = 0.15
    mounting: Mounting = field(default_factory=Mounting)


@dataclass(frozen=True)
class Rendering:
    """Names as `tools.sim.scenes` knows them. wind_m_s, wind_from_deg: the autopilot's."""

    season: str = "autumn"
    weather: str = "clear"
    wind_m_s: float = 3.0
    wind_from_deg: float = 240.0


@dataclass(frozen=True)
class Expected:
    """What must hold for the scenario to pass; None or () is not asked for. Errors are
    metres between where the vehicle is and where the autopilot believes it is, from the first
    fault on. wrong_estimate_m: no trusted position is further off than this."""

    median_error_m: float | None = None
    p95_error_m: float | None = None
    max_error_m: float | None = None
    wrong_estimate_m: float = 50.0
    no_failsafe: bool = True
    gnss_states: tuple[GnssState, ...] = ()
    gnss_state_at_end: GnssState | None = None
    alarm_before_m: float | None = None  # of a drift: SPOOFED is said before it is this far
    modes: tuple[Mode, ...] = ()
    mode_at_end: Mode | None = None
    refusals: tuple[Reason, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """seconds: from the command to take off."""

    title: str
    seconds: float
    seed: int = 1
    mission: Mission = field(default_factory=Mission)
    camera: SimulatedCamera = field(default_factory=SimulatedCamera)
    rendering: Rendering = field(default_factory=Rendering)
    publish: PublishSettings = field(default_factory=PublishSettings)
    takeover: TakeoverSettings = field(default_factory=TakeoverSettings)
    faults: tuple[Fault, ...] = ()
    expect: Expected = field(default_factory=Expected)

    def __post_init__(self) -> None:
        if not 10.0 <= self.seconds <= MAX_SECONDS:
            raise ValueError(f"seconds is {self.seconds}; give 10 to {MAX_SECONDS:.0f}")

    @property
    def first_fault_s(self) -> float:
        """The whole flight counts when there is none."""
        return min((fault.at_s for fault in self.faults), default=0.0)

    def active(self, kind: FaultKind, at_s: float) -> Fault | None:
        """The fault of this kind that holds now."""
        return next((f for f in self.faults if f.kind is kind and f.at_s <= at_s < f.until_s), None)


def shipped_scenarios() -> dict[str, Path]:
    """Name to file."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def load_scenario(name_or_path: str) -> Scenario:
    """One of the shipped by name, or a file. Raises InputError."""
    shipped = shipped_scenarios()
    path = shipped.get(name_or_path, Path(name_or_path))
    if path.suffix != ".toml" and not path.exists():
        raise InputError(
            f"no scenario '{name_or_path}'; give a TOML file or a name; "
            f"{nearest_known(name_or_path, shipped)}"
        )
    return load_settings(path, Scenario)
