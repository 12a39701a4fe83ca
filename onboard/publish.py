"""Estimates into what the autopilot is sent: GPS_INPUT at a steady rate, HEARTBEAT, STATUSTEXT.

What an autopilot makes of GPS_INPUT decides the fields. Its takeover jumps onto the first
position without a gate, so fix_type is 3 only while the estimate is trusted. It takes the
accuracy as the measurement's sigma, so that is the covariance's. It takes an ignored velocity
for zero when told to fuse velocity: set EK3_SRC1_VELXY=0 and EK3_SRC1_VELZ=0 on ArduPilot.
It selects a receiver by fix_type and satellites, so 6 satellites never outbid a real one.
Every message carries the position forward to the moment it is sent; the autopilot knows
nothing of the fix's age.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from onboard.messages import Estimate
from onboard.reasons import Mode

PERIOD_NS = 100_000_000  # 10 Hz; ArduPilot refuses to arm below about 5
HEARTBEAT_NS = 1_000_000_000
MAX_AMSL_M = 100_000.0  # above everything that flies by an autopilot
MAX_TRUSTED_ACCURACY_M = 20.0  # an ungated takeover moves the vehicle by about this much
MAX_VELOCITY_SIGMA_M_S = 1.0  # a larger speed_accuracy keeps ArduPilot from arming
MIN_VELOCITY_SIGMA_M_S = 0.3  # claiming less made its EKF lanes switch
NO_ACCURACY_M = 9999.0
SATELLITES = 6  # the least that ArduPilot arms with, and fewer than any good receiver has
TRUSTED_DOP, UNTRUSTED_DOP = 1.0, 99.99  # hdop above 2.5 keeps it from arming
GPS_ID = 1  # the second receiver (GPS2_TYPE=14)
FIX_NONE, FIX_3D = 1, 3
GPS_EPOCH_S = 315_964_800  # 1980-01-06 in Unix time
LEAP_SECONDS = 18  # GPS is ahead of UTC by this since 2017
WEEK_MS = 7 * 86_400_000
MAX_WEEK, MAX_TIME_USEC = 2**16 - 1, 2**64 - 1  # what the fields hold

# GPS_INPUT_IGNORE_FLAGS
IGNORE_ALT, IGNORE_VEL_HORIZ, IGNORE_VEL_VERT = 1, 8, 16
IGNORE_SPEED_ACCURACY, IGNORE_VERTICAL_ACCURACY = 32, 128

# MAV_SEVERITY
CRITICAL, WARNING, NOTICE, INFO = 2, 4, 5, 6
MODE_TEXTS = {
    Mode.TRACKING: (NOTICE, "Pilotage: has a position"),
    Mode.COASTING: (WARNING, "Pilotage: no fix, coasting"),
    Mode.LOST: (CRITICAL, "Pilotage: position lost"),
}
SEARCHING = (INFO, "Pilotage: no position yet")


@dataclass(frozen=True)
class GpsInput:
    """The fields of GPS_INPUT (#232), in its units: lat and lon 1e-7 deg, alt m AMSL,
    velocities and accuracies m/s and m, yaw 0 for none."""

    time_usec: int
    gps_id: int
    ignore_flags: int
    time_week_ms: int
    time_week: int
    fix_type: int
    lat: int
    lon: int
    alt: float
    hdop: float
    vdop: float
    vn: float
    ve: float
    vd: float
    speed_accuracy: float
    horiz_accuracy: float
    vert_accuracy: float
    satellites_visible: int
    yaw: int = 0


class Link(Protocol):
    """Where messages go: `mavlink_link.MavlinkLink`."""

    def send_gps_input(self, fields: GpsInput) -> None: ...

    def send_heartbeat(self, has_position: bool) -> None: ...

    def send_text(self, severity: int, text: str) -> None: ...


class Publisher:
    """Called every PERIOD_NS of the caller's clock: the log's in replay, the monotonic one in
    flight. estimate_at must carry the position forward to any time."""

    def __init__(
        self,
        link: Link,
        estimate_at: Callable[[int], Estimate | None],
        utc_minus_clock_ns: int | None = None,
    ) -> None:
        """utc_minus_clock_ns: Unix time minus the caller's clock, where known."""
        self._link = link
        self._estimate_at = estimate_at
        self._utc_minus_clock_ns = utc_minus_clock_ns
        self._heartbeat_ns: int | None = None
        self._mode: Mode | None = None

    def publish_at(self, now_ns: int) -> None:
        """Sends the position as of now, a heartbeat once a second, a text on a new mode."""
        estimate = self._estimate_at(now_ns)
        mode = estimate.mode if estimate is not None else Mode.LOST
        if self._heartbeat_ns is None or now_ns - self._heartbeat_ns >= HEARTBEAT_NS:
            self._link.send_heartbeat(mode is not Mode.LOST)
            self._heartbeat_ns = now_ns
        if mode is not self._mode:
            starting = self._mode is None and mode is Mode.LOST
            self._link.send_text(*(SEARCHING if starting else MODE_TEXTS[mode]))
            self._mode = mode
        self._link.send_gps_input(gps_input(estimate, now_ns, self._utc_minus_clock_ns))


def gps_input(
    estimate: Estimate | None, time_ns: int, utc_minus_clock_ns: int | None = None
) -> GpsInput:
    """The message that says exactly what is known. estimate None, or not in numbers: no fix.

    horiz_accuracy is the 2-D root mean square. Without a sea-level height alt is ignored;
    without a velocity that was measured, velocity is. The vertical velocity always is.
    """
    if estimate is not None and not _in_numbers(estimate):
        estimate = None
    week, week_ms = _gps_week(time_ns, utc_minus_clock_ns)
    ignore = IGNORE_VEL_VERT
    accuracy_m, alt_m, vert_accuracy_m = NO_ACCURACY_M, None, None
    lat_deg = lon_deg = vn = ve = speed_accuracy = 0.0
    velocity_sigma = None
    if estimate is not None:
        lat_deg, lon_deg = estimate.lat_deg, estimate.lon_deg
        accuracy_m = math.sqrt(float(estimate.covariance[0, 0] + estimate.covariance[1, 1]))
        alt_m, vert_accuracy_m = estimate.amsl_m, estimate.amsl_sigma_m
        velocity_sigma = estimate.velocity_sigma_m_s
    if alt_m is not None and not abs(alt_m) <= MAX_AMSL_M:
        alt_m, vert_accuracy_m = None, None
    trusted = (
        estimate is not None
        and estimate.mode is not Mode.LOST
        and accuracy_m <= MAX_TRUSTED_ACCURACY_M
    )
    if estimate is not None and velocity_sigma is not None:
        vn, ve = estimate.velocity_north_m_s, estimate.velocity_east_m_s
        speed_accuracy = max(MIN_VELOCITY_SIGMA_M_S, velocity_sigma)
    if not trusted or not 0.0 < speed_accuracy <= MAX_VELOCITY_SIGMA_M_S:
        ignore |= IGNORE_VEL_HORIZ | IGNORE_SPEED_ACCURACY
        vn = ve = speed_accuracy = 0.0
    if alt_m is None:
        ignore |= IGNORE_ALT
    if vert_accuracy_m is None:
        ignore |= IGNORE_VERTICAL_ACCURACY
    dop = TRUSTED_DOP if trusted else UNTRUSTED_DOP
    return GpsInput(
        time_usec=min(max(0, time_ns // 1000), MAX_TIME_USEC),
        gps_id=GPS_ID,
        ignore_flags=ignore,
        time_week_ms=week_ms,
        time_week=week,
        fix_type=FIX_3D if trusted else FIX_NONE,
        lat=round(lat_deg * 1e7),
        lon=round(lon_deg * 1e7),
        alt=alt_m or 0.0,
        hdop=dop,
        vdop=dop,
        vn=vn,
        ve=ve,
        vd=0.0,
        speed_accuracy=speed_accuracy,
        horiz_accuracy=min(accuracy_m, NO_ACCURACY_M),
        vert_accuracy=vert_accuracy_m or 0.0,
        satellites_visible=SATELLITES if trusted else 0,
    )


def _gps_week(time_ns: int, utc_minus_clock_ns: int | None) -> tuple[int, int]:
    """(week, milliseconds of it); (0, 0), which ArduPilot accepts, where UTC is not known."""
    if utc_minus_clock_ns is None:
        return 0, 0
    unix_ms = (time_ns + utc_minus_clock_ns) // 1_000_000
    gps_ms = unix_ms + (LEAP_SECONDS - GPS_EPOCH_S) * 1000
    week, week_ms = divmod(gps_ms, WEEK_MS)
    return (week, week_ms) if 0 <= week <= MAX_WEEK else (0, 0)


def _in_numbers(estimate: Estimate) -> bool:
    values = [estimate.lat_deg, estimate.lon_deg, *map(float, estimate.covariance.flat)]
    values += [estimate.velocity_north_m_s, estimate.velocity_east_m_s]
    return all(map(math.isfinite, values))
