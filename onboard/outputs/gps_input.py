"""GPS_INPUT (#232): Pilotage as ArduPilot's second GNSS receiver (GPS2_TYPE 14).

What ArduPilot makes of it decides the fields. Its takeover jumps onto the first position
without a gate, so fix_type is 3 only for a position that is offered. It takes the accuracy as
the measurement's sigma, so that is the covariance's. It takes an ignored velocity for zero when
told to fuse velocity: the preset sets EK3_SRC1_VELXY and EK3_SRC1_VELZ to 0. It selects a
receiver by fix_type and satellites, so 6 satellites never outbid a real one.
"""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.outputs.moment import Moment, accuracy_m, known_amsl, measured_velocity_sigma

MAX_VELOCITY_SIGMA_M_S = 1.0  # a larger speed_accuracy keeps ArduPilot from arming
MIN_VELOCITY_SIGMA_M_S = 0.3  # claiming less made its EKF lanes switch
NO_ACCURACY_M = 9999.0
SATELLITES = 6  # the least that ArduPilot arms with, and fewer than any good receiver has
TRUSTED_DOP, UNTRUSTED_DOP = 1.0, 99.99  # hdop above 2.5 keeps it from arming
GPS_ID = 1  # the second receiver
FIX_NONE, FIX_3D = 1, 3
GPS_EPOCH_S = 315_964_800  # 1980-01-06 in Unix time
LEAP_SECONDS = 18  # GPS is ahead of UTC by this since 2017
WEEK_MS = 7 * 86_400_000
MAX_WEEK = 2**16 - 1  # what the field holds

# GPS_INPUT_IGNORE_FLAGS
IGNORE_ALT, IGNORE_VEL_HORIZ, IGNORE_VEL_VERT = 1, 8, 16
IGNORE_SPEED_ACCURACY, IGNORE_VERTICAL_ACCURACY = 32, 128


def gps_input(moment: Moment) -> Any:
    """The message that says exactly what is known; it is sent whether or not a position is.

    horiz_accuracy is the 2-D root mean square. Without a sea-level height alt is ignored;
    without a velocity that was measured, velocity is. The vertical velocity always is.
    """
    estimate = moment.estimate
    week, week_ms = _gps_week(moment.now_ns, moment.utc_minus_clock_ns)
    ignore = IGNORE_VEL_VERT
    height = known_amsl(estimate) if estimate is not None else None
    alt_m, alt_sigma_m = height if height is not None else (None, None)
    vn = ve = speed_accuracy = 0.0
    sigma = measured_velocity_sigma(estimate) if estimate is not None and moment.offered else None
    if sigma is not None:
        speed_accuracy = max(MIN_VELOCITY_SIGMA_M_S, sigma)
    if estimate is not None and 0.0 < speed_accuracy <= MAX_VELOCITY_SIGMA_M_S:
        vn, ve = estimate.velocity_north_m_s, estimate.velocity_east_m_s
    else:
        ignore |= IGNORE_VEL_HORIZ | IGNORE_SPEED_ACCURACY
        speed_accuracy = 0.0
    if alt_m is None:
        ignore |= IGNORE_ALT
    if alt_sigma_m is None:
        ignore |= IGNORE_VERTICAL_ACCURACY
    dop = TRUSTED_DOP if moment.offered else UNTRUSTED_DOP
    return mavlink.MAVLink_gps_input_message(
        time_usec=moment.time_usec,
        gps_id=GPS_ID,
        ignore_flags=ignore,
        time_week_ms=week_ms,
        time_week=week,
        fix_type=FIX_3D if moment.offered else FIX_NONE,
        lat=round(estimate.lat_deg * 1e7) if estimate is not None else 0,
        lon=round(estimate.lon_deg * 1e7) if estimate is not None else 0,
        alt=alt_m or 0.0,
        hdop=dop,
        vdop=dop,
        vn=vn,
        ve=ve,
        vd=0.0,
        speed_accuracy=speed_accuracy,
        horiz_accuracy=(
            min(accuracy_m(estimate), NO_ACCURACY_M) if estimate is not None else NO_ACCURACY_M
        ),
        vert_accuracy=alt_sigma_m or 0.0,
        satellites_visible=SATELLITES if moment.offered else 0,
        yaw=0,  # none
    )


def _gps_week(time_ns: int, utc_minus_clock_ns: int | None) -> tuple[int, int]:
    """(week, milliseconds of it); (0, 0), which ArduPilot accepts, where UTC is not known."""
    if utc_minus_clock_ns is None:
        return 0, 0
    unix_ms = (time_ns + utc_minus_clock_ns) // 1_000_000
    gps_ms = unix_ms + (LEAP_SECONDS - GPS_EPOCH_S) * 1000
    week, week_ms = divmod(gps_ms, WEEK_MS)
    return (week, week_ms) if 0 <= week <= MAX_WEEK else (0, 0)
