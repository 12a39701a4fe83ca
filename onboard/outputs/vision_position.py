"""VISION_POSITION_ESTIMATE (#102): position in the local frame without a velocity, for
ArduPilot's ExternalNav and PX4's external vision."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.outputs.local_frame import local_pose
from onboard.outputs.moment import Moment


def vision_position(moment: Moment) -> Any | None:
    """None while no position is offered, or the origin, attitude or height is missing."""
    pose = local_pose(moment)
    if pose is None:
        return None
    return mavlink.MAVLink_vision_position_estimate_message(
        usec=moment.time_usec,
        x=pose.north_m,
        y=pose.east_m,
        z=pose.down_m,
        roll=pose.attitude.roll,
        pitch=pose.attitude.pitch,
        yaw=pose.attitude.yaw,
        covariance=list(pose.covariance),
        reset_counter=moment.reset_counter,
    )
