"""MAV_CMD_EXTERNAL_POSITION_ESTIMATE (43003, in COMMAND_INT #75): for an ArduPilot plane that
flies by dead reckoning. It resets the position without a gate; ArduPilot refuses it while it
fuses a GNSS position. It helps a plane; a copter needs GPS_INPUT or ODOMETRY.
"""

from __future__ import annotations

import math
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.outputs.moment import Moment, axis_sigma_m

CLOCK_WRAP_NS = 250_000_000_000  # param1 is a float: beyond this it loses the millisecond


def external_position(moment: Moment) -> Any | None:
    """None while no position is offered. param1 the send time (s), param2 the processing time
    (0: carried forward), param3 one sigma (m); z must be NaN. The link fills the target in."""
    estimate = moment.estimate
    if not moment.offered or estimate is None:
        return None
    return mavlink.MAVLink_command_int_message(
        target_system=0,
        target_component=mavlink.MAV_COMP_ID_AUTOPILOT1,
        frame=mavlink.MAV_FRAME_GLOBAL,
        command=mavlink.MAV_CMD_EXTERNAL_POSITION_ESTIMATE,
        current=0,
        autocontinue=0,
        param1=(moment.now_ns % CLOCK_WRAP_NS) * 1e-9,
        param2=0.0,
        param3=axis_sigma_m(estimate),
        param4=math.nan,
        x=round(estimate.lat_deg * 1e7),
        y=round(estimate.lon_deg * 1e7),
        z=math.nan,
    )
