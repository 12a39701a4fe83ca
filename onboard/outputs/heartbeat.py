"""HEARTBEAT (#0) of an onboard controller."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

MAVLINK_VERSION = 3  # what HEARTBEAT says in MAVLink 2, too


def heartbeat(has_position: bool) -> Any:
    """Active, or standby while there is no position."""
    return mavlink.MAVLink_heartbeat_message(
        type=mavlink.MAV_TYPE_ONBOARD_CONTROLLER,
        autopilot=mavlink.MAV_AUTOPILOT_INVALID,
        base_mode=0,
        custom_mode=0,
        system_status=mavlink.MAV_STATE_ACTIVE if has_position else mavlink.MAV_STATE_STANDBY,
        mavlink_version=MAVLINK_VERSION,
    )
