"""HEARTBEAT (#0) into what vehicle it is and what it does."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import all as mavlink

from onboard.telemetry_messages import VehicleState

AUTOPILOTS = {
    mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA: "ardupilot",
    mavlink.MAV_AUTOPILOT_PX4: "px4",
}
COPTERS = frozenset(
    (
        mavlink.MAV_TYPE_QUADROTOR,
        mavlink.MAV_TYPE_COAXIAL,
        mavlink.MAV_TYPE_HELICOPTER,
        mavlink.MAV_TYPE_HEXAROTOR,
        mavlink.MAV_TYPE_OCTOROTOR,
        mavlink.MAV_TYPE_TRICOPTER,
        mavlink.MAV_TYPE_DODECAROTOR,
        mavlink.MAV_TYPE_DECAROTOR,
        mavlink.MAV_TYPE_GENERIC_MULTIROTOR,
    )
)
PLANES = frozenset((mavlink.MAV_TYPE_FIXED_WING, *range(19, 26)))  # 19..25: VTOL
PX4_MODES = {1: "MANUAL", 2: "ALTCTL", 3: "POSCTL", 5: "ACRO", 6: "OFFBOARD", 7: "STABILIZED"}
PX4_AUTO = 4
PX4_AUTO_MODES = {
    1: "READY",
    2: "TAKEOFF",
    3: "LOITER",
    4: "MISSION",
    5: "RTL",
    6: "LAND",
    8: "FOLLOWME",
    9: "PRECLAND",
}


def vehicle_state(heartbeat: Any, time_ns: int) -> VehicleState:
    """Of an autopilot's heartbeat."""
    autopilot = AUTOPILOTS.get(heartbeat.autopilot, "other")
    kind = "other"
    if heartbeat.type in COPTERS:
        kind = "copter"
    elif heartbeat.type in PLANES:
        kind = "plane"
    armed = bool(heartbeat.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
    return VehicleState(time_ns, autopilot, kind, armed, _mode(autopilot, kind, heartbeat))


def _mode(autopilot: str, kind: str, heartbeat: Any) -> str:
    number = heartbeat.custom_mode
    if autopilot == "px4":  # px4_custom_mode.h
        main, sub = number >> 16 & 0xFF, number >> 24 & 0xFF
        name = PX4_AUTO_MODES.get(sub) if main == PX4_AUTO else PX4_MODES.get(main)
        return name or f"mode {main}.{sub}"
    table = {"copter": "COPTER_MODE", "plane": "PLANE_MODE"}.get(kind)
    if autopilot != "ardupilot" or table is None:
        return f"mode {number}"
    entry = mavlink.enums[table].get(number)
    if entry is None or entry.name.endswith("_ENUM_END"):
        return f"mode {number}"
    return str(entry.description or entry.name.removeprefix(f"{table}_"))
