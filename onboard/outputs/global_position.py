"""GLOBAL_POSITION_SENSOR (#296), PX4's auxiliary global position: a horizontal position beside
GNSS. PX4 takes it to have stopped after 5 s without one."""

from __future__ import annotations

import math
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.errors import InputError
from onboard.outputs.moment import Moment, accuracy_m, known_amsl

SENSOR_ID = 1  # what EKF2_AGPx_ID must be set to


def require_dialect() -> None:
    """Raises InputError: the installed pymavlink doesn't know the message."""
    if not hasattr(mavlink, "MAVLink_global_position_sensor_message"):
        raise InputError(
            "outputs 'global_position': this pymavlink is older than 2.4.50 and lacks "
            "GLOBAL_POSITION_SENSOR; upgrade it with: pip install -U 'pymavlink>=2.4.50'"
        )


def global_position(moment: Moment) -> Any | None:
    """None while no position is offered. eph is the 2-D root mean square; what isn't known of
    the height is NaN. processing_time is 0: the position is carried forward to time_usec."""
    estimate = moment.estimate
    if not moment.offered or estimate is None:
        return None
    amsl_m, amsl_sigma_m = known_amsl(estimate) or (math.nan, None)
    return mavlink.MAVLink_global_position_sensor_message(
        target_system=0,
        target_component=0,
        id=SENSOR_ID,
        time_usec=moment.time_usec,
        processing_time=0,
        source=mavlink.GLOBAL_POSITION_SRC_VISION,
        flags=0,
        lat=round(estimate.lat_deg * 1e7),
        lon=round(estimate.lon_deg * 1e7),
        alt_ellipsoid=math.nan,
        alt=amsl_m,
        eph=accuracy_m(estimate),
        epv=amsl_sigma_m if amsl_sigma_m is not None else math.nan,
    )
