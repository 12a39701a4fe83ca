"""The autopilot's messages into events, stamped with the host's time of what they tell.

A message with a time of its own belongs to that time; one without, to its arrival. Values that
are no numbers or out of range become no event. ArduPilot and PX4 both give yaw against true
north. RANGEFINDER (#173) is left out, as it can't say "out of range": the same sensor's
DISTANCE_SENSOR does; ATTITUDE_QUATERNION (#31), as ATTITUDE tells the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

from onboard.autopilot.heights import Heights
from onboard.autopilot.parameters import unpacked_value
from onboard.autopilot.vehicle_state import vehicle_state
from onboard.messages import Event
from onboard.telemetry_messages import (
    AirData,
    Attitude,
    AutopilotPosition,
    CommandAck,
    EkfStatus,
    Gnss,
    GnssIntegrity,
    LocalOrigin,
    ParameterValue,
    SensorHealth,
    VehicleState,
)

GPS_SENSOR = 0x20  # MAV_SYS_STATUS_SENSOR_GPS
DOWNWARD = 25  # MAV_SENSOR_ROTATION_PITCH_270
INVALID_SIGNAL = 1  # DISTANCE_SENSOR.signal_quality
FIX_3D = 3  # GPS_FIX_TYPE
UNKNOWN_8, UNKNOWN_16, UNKNOWN_32 = 2**8 - 1, 2**16 - 1, 2**32 - 1
UNIX_US = 1_000_000_000_000_000  # a time_usec beyond is no time since boot (31 years)
GNSS_AGE_NS = 2_000_000_000  # a fix older than this is told anew, not measured then
UNTOLD_SIGMA_M = 5.0  # of a fix whose receiver doesn't say
MAX_SPEED_M_S = 500.0
MAX_AMSL_M = 100_000.0


class Clock(Protocol):
    """`timesync.TimeSync` in flight; a simulation may count in the autopilot's own time."""

    def host_ns_of_ms(self, boot_ms: int, arrival_ns: int) -> int | None: ...

    def host_ns(self, boot_ns: int, arrival_ns: int) -> int | None: ...

    def host_ns_of_past(self, boot_ns: int, arrival_ns: int) -> int | None: ...


class Decoder:
    """One vehicle's messages, in order."""

    def __init__(self, clock: Clock, own_receiver: int | None = None) -> None:
        """own_receiver: the number of the receiver that is ourselves (the gps_id of our
        GPS_INPUT); it comes back in GPS_RAW_INT (0) or GPS2_RAW (1) and is left out."""
        self._clock = clock
        self._own_receiver = own_receiver
        self._heights = Heights()
        self._vehicle: VehicleState | None = None
        self._boot_ms: int | None = None  # since the autopilot started
        self._decoders: dict[str, Callable[[Any, int], list[Event]]] = {
            "ATTITUDE": self._attitude,
            "GLOBAL_POSITION_INT": self._position,
            "DISTANCE_SENSOR": self._distance,
            "TERRAIN_REPORT": self._terrain,
            "ALTITUDE": self._altitude,
            "GPS_RAW_INT": lambda m, t: self._gnss(m, t, 0),
            "GPS2_RAW": lambda m, t: self._gnss(m, t, 1),
            "EKF_STATUS_REPORT": _ekf_status,
            "ESTIMATOR_STATUS": _estimator_status,
            "SYS_STATUS": _sensor_health,
            "GNSS_INTEGRITY": _integrity,
            "VFR_HUD": self._airspeed,
            "WIND": _wind,
            "WIND_COV": _wind_covariance,
            "HEARTBEAT": self._heartbeat,
            "GPS_GLOBAL_ORIGIN": self._origin,
            "PARAM_VALUE": self._parameter,
            "COMMAND_ACK": _ack,
        }

    def decode(self, message: Any, arrival_ns: int) -> list[Event]:
        """message: pymavlink's, of the vehicle's autopilot. Never raises."""
        decoder = self._decoders.get(message.get_type())
        return decoder(message, arrival_ns) if decoder else []

    def _attitude(self, m: Any, arrival_ns: int) -> list[Event]:
        self._boot_ms = m.time_boot_ms
        time_ns = self._clock.host_ns_of_ms(m.time_boot_ms, arrival_ns)
        if time_ns is None or not all(abs(a) <= 2 * math.pi for a in (m.roll, m.pitch, m.yaw)):
            return []
        self._heights.attitude(m.roll, m.pitch)
        return [Attitude(time_ns, m.roll, m.pitch, m.yaw)]

    def _position(self, m: Any, arrival_ns: int) -> list[Event]:
        time_ns = self._clock.host_ns_of_ms(m.time_boot_ms, arrival_ns)
        if time_ns is None or not abs(m.alt * 1e-3) <= MAX_AMSL_M:
            return []
        amsl_m, above_home_m = m.alt * 1e-3, m.relative_alt * 1e-3
        is_known = _is_place(m.lat, m.lon)
        height = self._heights.position(time_ns, amsl_m if is_known else None, above_home_m)
        events: list[Event] = [height] if height else []
        if is_known:
            place = (m.lat * 1e-7, m.lon * 1e-7, amsl_m, above_home_m)
            events.append(AutopilotPosition(time_ns, *place, m.vx * 1e-2, m.vy * 1e-2, m.vz * 1e-2))
        return events

    def _distance(self, m: Any, arrival_ns: int) -> list[Event]:
        time_ns = self._clock.host_ns_of_ms(m.time_boot_ms, arrival_ns)
        in_range = m.min_distance < m.current_distance < m.max_distance
        is_good = m.orientation == DOWNWARD and m.signal_quality != INVALID_SIGNAL
        if time_ns is None or not (in_range and is_good):
            return []
        height = self._heights.rangefinder(time_ns, m.current_distance * 1e-2)
        return [height] if height else []

    def _terrain(self, m: Any, arrival_ns: int) -> list[Event]:
        has_data = m.pending == 0 and m.spacing > 0  # without any, the height said is 0
        if has_data and abs(m.terrain_height) <= MAX_AMSL_M:
            self._heights.ground(arrival_ns, m.terrain_height)
        return []

    def _altitude(self, m: Any, arrival_ns: int) -> list[Event]:
        time_ns = self._clock.host_ns(m.time_usec * 1000, arrival_ns)
        if time_ns is None or not 0.0 < m.bottom_clearance < math.inf:  # NaN or negative: none
            return []
        height = self._heights.clearance(time_ns, m.bottom_clearance)
        return [height] if height else []

    def _gnss(self, m: Any, arrival_ns: int, receiver: int) -> list[Event]:
        if receiver == self._own_receiver:
            return []
        has_fix = m.fix_type >= FIX_3D and _is_place(m.lat, m.lon)
        place = (m.lat * 1e-7, m.lon * 1e-7) if has_fix else (0.0, 0.0)
        north, east = _velocity(m.vel, m.cog) if has_fix else (None, None)
        return [
            Gnss(
                time_ns=self._fix_ns(m.time_usec, arrival_ns) if has_fix else arrival_ns,
                lat_deg=place[0],
                lon_deg=place[1],
                sigma_m=_millimetres(m.h_acc) or UNTOLD_SIGMA_M,
                has_fix=has_fix,
                receiver=receiver,
                fix_type=m.fix_type,
                satellites=None if m.satellites_visible == UNKNOWN_8 else m.satellites_visible,
                amsl_m=m.alt * 1e-3 if has_fix and abs(m.alt) * 1e-3 <= MAX_AMSL_M else None,
                velocity_north_m_s=north,
                velocity_east_m_s=east,
                velocity_sigma_m_s=_millimetres(m.vel_acc),
            )
        ]

    def _fix_ns(self, time_us: int, arrival_ns: int) -> int:
        """Of the fix, where time_usec counts from boot (ArduPilot, PX4) and is no old one."""
        if 0 < time_us < UNIX_US:
            time_ns = self._clock.host_ns_of_past(time_us * 1000, arrival_ns)
            if time_ns is not None and arrival_ns - time_ns <= GNSS_AGE_NS:
                return time_ns
        return arrival_ns

    def _airspeed(self, m: Any, arrival_ns: int) -> list[Event]:
        """A plane's only: without a sensor ArduPilot's other vehicles put the receiver's
        ground speed there."""
        is_plane = self._vehicle is not None and self._vehicle.kind == "plane"
        if not (is_plane and 0.0 < m.airspeed <= MAX_SPEED_M_S):
            return []
        return [AirData(arrival_ns, airspeed_m_s=m.airspeed)]

    def _heartbeat(self, m: Any, arrival_ns: int) -> list[Event]:
        self._vehicle = vehicle_state(m, arrival_ns)
        return [self._vehicle]

    def _origin(self, m: Any, arrival_ns: int) -> list[Event]:
        """Told anew while it stands; time_usec is ArduPilot's time of telling."""
        if not (_is_place(m.latitude, m.longitude) and abs(m.altitude) * 1e-3 <= MAX_AMSL_M):
            return []
        place = (m.latitude * 1e-7, m.longitude * 1e-7, m.altitude * 1e-3)
        since_boot_s = None if self._boot_ms is None else self._boot_ms * 1e-3
        return [LocalOrigin(arrival_ns, *place, since_boot_s)]

    def _parameter(self, m: Any, arrival_ns: int) -> list[Event]:
        value = m.param_value
        if self._vehicle is not None and self._vehicle.autopilot == "px4":
            value = unpacked_value(value, m.param_type)
        if not math.isfinite(value) or not m.param_id:
            return []
        return [ParameterValue(arrival_ns, m.param_id, value, m.param_type)]


def _ekf_status(m: Any, arrival_ns: int) -> list[Event]:
    variances = (m.velocity_variance, m.pos_horiz_variance, m.pos_vert_variance)
    return _status(m.flags, variances, arrival_ns)


def _estimator_status(m: Any, arrival_ns: int) -> list[Event]:
    return _status(m.flags, (m.vel_ratio, m.pos_horiz_ratio, m.pos_vert_ratio), arrival_ns)


def _status(flags: int, variances: tuple[float, float, float], arrival_ns: int) -> list[Event]:
    return [EkfStatus(arrival_ns, flags, *variances)] if all(map(math.isfinite, variances)) else []


def _sensor_health(m: Any, arrival_ns: int) -> list[Event]:
    bits = (
        m.onboard_control_sensors_present,
        m.onboard_control_sensors_enabled,
        m.onboard_control_sensors_health,
    )
    return [SensorHealth(arrival_ns, *(bool(b & GPS_SENSOR) for b in bits))]


def _integrity(m: Any, arrival_ns: int) -> list[Event]:
    return [GnssIntegrity(arrival_ns, m.id, m.jamming_state, m.spoofing_state)]


def _wind(m: Any, arrival_ns: int) -> list[Event]:
    """direction is where the wind comes from, in degrees."""
    if not (abs(m.direction) <= 360.0 and 0.0 <= m.speed <= MAX_SPEED_M_S):
        return []
    north = -m.speed * math.cos(math.radians(m.direction))
    east = -m.speed * math.sin(math.radians(m.direction))
    return [AirData(arrival_ns, wind_north_m_s=north, wind_east_m_s=east)]


def _wind_covariance(m: Any, arrival_ns: int) -> list[Event]:
    if not (abs(m.wind_x) <= MAX_SPEED_M_S and abs(m.wind_y) <= MAX_SPEED_M_S):
        return []
    return [AirData(arrival_ns, wind_north_m_s=m.wind_x, wind_east_m_s=m.wind_y)]


def _ack(m: Any, arrival_ns: int) -> list[Event]:
    return [CommandAck(arrival_ns, m.command, m.result)]


def _is_place(lat: int, lon: int) -> bool:
    """In 1e-7 degrees; both zero is how a missing position is told."""
    return abs(lat) <= 900_000_000 and abs(lon) <= 1_800_000_000 and bool(lat or lon)


def _velocity(speed: int, course: int) -> tuple[float | None, float | None]:
    """North and east of cm/s and centidegrees."""
    if speed == UNKNOWN_16 or course > 36_000 or speed * 1e-2 > MAX_SPEED_M_S:
        return None, None
    angle = math.radians(course * 1e-2)
    return speed * 1e-2 * math.cos(angle), speed * 1e-2 * math.sin(angle)


def _millimetres(value: int) -> float | None:
    """Metres; None where it isn't told: 0, for MAVLink 1 ends before this field, or all ones."""
    return None if value in (0, UNKNOWN_32) else value * 1e-3
