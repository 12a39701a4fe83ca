"""A scenario's route as the mission that a ground station uploads."""

from __future__ import annotations

from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.geodesy import offset_latlon
from tools.sim.scenario import Mission

FOR_EVER = -1  # laps


def mission_items(
    mission: Mission, home: tuple[float, float], system_id: int
) -> list[mavlink.MAVLink_mission_item_int_message]:
    """MISSION_ITEM_INT (#73): home, climb, the route, and from its end to its start again.

    home: (lat_deg, lon_deg) of the take-off.
    """
    items: list[mavlink.MAVLink_mission_item_int_message] = []

    def add(command: int, lat_deg: float, lon_deg: float, *params: float) -> None:
        filled = [*params, 0.0, 0.0, 0.0, 0.0][:4]
        items.append(
            mavlink.MAVLink_mission_item_int_message(
                system_id,
                1,
                len(items),
                mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT_INT,
                command,
                0,
                1,
                *filled,
                round(lat_deg * 1e7),
                round(lon_deg * 1e7),
                mission.height_m,
            )
        )

    def change_speed(kind: int) -> None:
        speed: Any = mission.speed_m_s
        add(mavlink.MAV_CMD_DO_CHANGE_SPEED, 0.0, 0.0, kind, speed, -1)

    add(mavlink.MAV_CMD_NAV_WAYPOINT, *home)
    add(mavlink.MAV_CMD_NAV_TAKEOFF, *home)
    change_speed(mavlink.SPEED_TYPE_GROUNDSPEED)
    first = len(items)
    for east_m, north_m in mission.route_m:
        add(mavlink.MAV_CMD_NAV_WAYPOINT, *offset_latlon(*home, east_m, north_m))
    add(mavlink.MAV_CMD_DO_JUMP, 0.0, 0.0, first, FOR_EVER)
    return items
