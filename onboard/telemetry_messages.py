"""What the autopilot and its sensors tell: frozen records, in the units and with the times of
`onboard.messages`. Each names the MAVLink message it is made from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Attitude:
    """The vehicle's attitude, or a stabilised gimbal's where the mounting says so."""

    time_ns: int
    roll: float
    pitch: float
    yaw: float


@dataclass(frozen=True)
class Height:
    """agl_m above the ground below; amsl_m above mean sea level, None when unknown."""

    time_ns: int
    agl_m: float
    amsl_m: float | None = None
    sigma_m: float = 5.0
    source: str = "barometer"


@dataclass(frozen=True)
class Gnss:
    """A receiver's position; has_fix False is its report that it has none.

    receiver counts from 0 (GPS_RAW_INT; 1 is GPS2_RAW). fix_type is MAVLink's GPS_FIX_TYPE.
    What a receiver doesn't tell is None.
    """

    time_ns: int
    lat_deg: float
    lon_deg: float
    sigma_m: float = 3.0
    has_fix: bool = True
    receiver: int = 0
    fix_type: int = 3
    satellites: int | None = None
    amsl_m: float | None = None
    velocity_north_m_s: float | None = None
    velocity_east_m_s: float | None = None
    velocity_sigma_m_s: float | None = None


@dataclass(frozen=True)
class EkfStatus:
    """The autopilot's own judgement of its estimate: EKF_STATUS_REPORT (#193) or PX4's
    ESTIMATOR_STATUS (#230). flags are ESTIMATOR_STATUS_FLAGS (EKF_STATUS_FLAGS share the lower
    bits); the variances are innovation test ratios, 1 at the gate."""

    time_ns: int
    flags: int
    velocity_variance: float
    position_variance: float
    height_variance: float


@dataclass(frozen=True)
class SensorHealth:
    """What SYS_STATUS (#1) says of the autopilot's GNSS receivers as a whole."""

    time_ns: int
    gnss_present: bool
    gnss_enabled: bool
    gnss_healthy: bool


@dataclass(frozen=True)
class GnssIntegrity:
    """What a receiver itself says of interference: GNSS_INTEGRITY (#441). jamming and spoofing:
    0 unknown, 1 none, 2 mitigated, 3 detected."""

    time_ns: int
    receiver: int
    jamming: int
    spoofing: int


@dataclass(frozen=True)
class AirData:
    """Airspeed (VFR_HUD #74) and the wind the autopilot estimates (WIND #168, WIND_COV #231):
    where the air moves to. None where not told."""

    time_ns: int
    airspeed_m_s: float | None = None
    wind_north_m_s: float | None = None
    wind_east_m_s: float | None = None


@dataclass(frozen=True)
class VehicleState:
    """HEARTBEAT (#0) of the autopilot. autopilot: 'ardupilot', 'px4' or 'other'; kind: 'copter',
    'plane' or 'other'; flight_mode as its ground station names it."""

    time_ns: int
    autopilot: str
    kind: str
    armed: bool
    flight_mode: str


@dataclass(frozen=True)
class AutopilotPosition:
    """Where the autopilot believes to be: GLOBAL_POSITION_INT (#33). Made from whatever it
    navigates by, Pilotage's own positions among it: shown and recorded, never fused."""

    time_ns: int
    lat_deg: float
    lon_deg: float
    amsl_m: float
    above_home_m: float
    velocity_north_m_s: float
    velocity_east_m_s: float
    velocity_down_m_s: float


@dataclass(frozen=True)
class LocalOrigin:
    """Where the autopilot's local frame has its zero: GPS_GLOBAL_ORIGIN (#49). set_within_s: at
    most so long before, as the autopilot runs no longer; None where that isn't known."""

    time_ns: int
    lat_deg: float
    lon_deg: float
    amsl_m: float
    set_within_s: float | None = None


@dataclass(frozen=True)
class ParameterValue:
    """A parameter as the autopilot told it: PARAM_VALUE (#22). param_type is MAV_PARAM_TYPE, 9 a
    32-bit float; value is the number itself, however it was packed."""

    time_ns: int
    name: str
    value: float
    param_type: int = 9


@dataclass(frozen=True)
class CommandAck:
    """COMMAND_ACK (#77). result is MAV_RESULT, 0 accepted."""

    time_ns: int
    command: int
    result: int
