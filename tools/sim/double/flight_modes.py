"""ArduPilot's flight modes that the double flies, by the numbers of HEARTBEAT's custom_mode."""

from __future__ import annotations

from enum import Enum


class Flying(Enum):
    """What a mode does."""

    LEVEL = "level"  # by hand; nobody holds the stick
    HOLD = "hold"
    GUIDED = "guided"
    MISSION = "mission"
    RETURN = "return"
    LAND = "land"


COPTER = {
    0: ("STABILIZE", Flying.LEVEL),
    2: ("ALT_HOLD", Flying.LEVEL),
    3: ("AUTO", Flying.MISSION),
    4: ("GUIDED", Flying.GUIDED),
    5: ("LOITER", Flying.HOLD),
    6: ("RTL", Flying.RETURN),
    9: ("LAND", Flying.LAND),
    17: ("BRAKE", Flying.HOLD),
    20: ("GUIDED_NOGPS", Flying.LEVEL),
}
PLANE = {
    0: ("MANUAL", Flying.LEVEL),
    1: ("CIRCLE", Flying.HOLD),
    5: ("FBWA", Flying.LEVEL),
    10: ("AUTO", Flying.MISSION),
    11: ("RTL", Flying.RETURN),
    12: ("LOITER", Flying.HOLD),
    13: ("TAKEOFF", Flying.GUIDED),
    15: ("GUIDED", Flying.GUIDED),
}
NEEDS_POSITION = (Flying.HOLD, Flying.GUIDED, Flying.MISSION, Flying.RETURN)
COPTER_LAND = 9
