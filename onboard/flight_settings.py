"""The settings file of a flight: one TOML file, its tables as records.

A flight needs `map`, `camera`, `camera_file` and `[link] address`; everything else has a
default that is meant to fly. What nobody would change is a constant where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from onboard.inference import InferenceSettings


class Output(str, Enum):
    """A message that carries the position; each has its file in `onboard.outputs`."""

    GPS_INPUT = "gps_input"
    ODOMETRY = "odometry"
    VISION_POSITION = "vision_position"
    GLOBAL_POSITION = "global_position"  # GLOBAL_POSITION_SENSOR (#296), PX4
    EXTERNAL_POSITION = "external_position"  # MAV_CMD_EXTERNAL_POSITION_ESTIMATE
    NMEA = "nmea"


class PublishWhen(str, Enum):
    """While GNSS is in which state the position is offered to the autopilot."""

    ALWAYS = "always"
    ON_LOSS = "on_loss"  # lost, jammed or spoofed
    ON_SPOOF = "on_spoof"  # spoofed only


class TakeoverMethod(str, Enum):
    """How the receiver is deselected while it is jammed, spoofed or lost."""

    OFF = "off"
    GPS_PRIMARY = "gps_primary"  # ArduPilot: GPS_AUTO_SWITCH 0 with GPS_PRIMARY 1
    SOURCE_SET = "source_set"  # ArduPilot: EKF source set 2 (ExternalNav)


@dataclass(frozen=True)
class LinkSettings:
    """address: see `onboard.autopilot.transport`. system_id: the vehicle's, 0 for the first
    autopilot heard. signing_key_file: 32 bytes (or 64 hex digits), mode 0600."""

    address: str = ""
    baud: int = 921_600
    system_id: int = 0
    signing_key_file: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.system_id <= 255:
            raise ValueError(f"system_id is {self.system_id}; give 1 to 255, or 0 for any")
        if self.baud < 1200:
            raise ValueError(f"baud is {self.baud}; give the autopilot port's rate, as 921600")


@dataclass(frozen=True)
class PublishSettings:
    """nmea_address: where NMEA goes, a transport address of its own."""

    outputs: tuple[Output, ...] = (Output.GPS_INPUT,)
    when: PublishWhen = PublishWhen.ALWAYS
    nmea_address: str = ""

    def __post_init__(self) -> None:
        if (Output.NMEA in self.outputs) != bool(self.nmea_address):
            raise ValueError("outputs 'nmea' and nmea_address go together; give both or neither")


@dataclass(frozen=True)
class TakeoverSettings:
    """method off: no parameter is ever written in flight."""

    method: TakeoverMethod = TakeoverMethod.OFF


@dataclass(frozen=True)
class GnssSettings:
    """use: whether a good receiver starts the estimate and calibrates camera and map."""

    use: bool = True


@dataclass(frozen=True)
class RecordingSettings:
    """folder None: nothing is recorded. max_gb: of all recordings in the folder together, the
    oldest go first. frame_hz: how many whole frames a second are kept for people to see."""

    folder: Path | None = None
    max_gb: float = 16.0
    frame_hz: float = 1.0

    def __post_init__(self) -> None:
        if not self.max_gb > 0.0:
            raise ValueError(f"max_gb is {self.max_gb}; give a size above 0")
        if not 0.0 <= self.frame_hz <= 60.0:
            raise ValueError(f"frame_hz is {self.frame_hz}; give 0 to 60")


@dataclass(frozen=True)
class WebSettings:
    """address '': no status page. Anything but a loopback address asks for a token."""

    address: str = ""


@dataclass(frozen=True)
class FlightSettings:
    """Relative paths count from the settings file's folder. map_public_key: a PEM file with the
    public keys whose signature a map must bear, one or several; without it any map is flown.
    camera: a source for `onboard.cameras.open_camera`; camera_file: lens and mounting. frame_hz:
    frames taken from the camera a second, at most."""

    map: Path | None = None
    map_public_key: Path | None = None
    camera: str = ""
    camera_file: Path | None = None
    frame_hz: float = 5.0
    link: LinkSettings = field(default_factory=LinkSettings)
    publish: PublishSettings = field(default_factory=PublishSettings)
    takeover: TakeoverSettings = field(default_factory=TakeoverSettings)
    gnss: GnssSettings = field(default_factory=GnssSettings)
    recording: RecordingSettings = field(default_factory=RecordingSettings)
    web: WebSettings = field(default_factory=WebSettings)
    inference: InferenceSettings = field(default_factory=InferenceSettings)

    def __post_init__(self) -> None:
        if not 0.1 <= self.frame_hz <= 60.0:
            raise ValueError(f"frame_hz is {self.frame_hz}; give 0.1 to 60")
