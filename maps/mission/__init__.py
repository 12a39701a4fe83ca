"""A flight plan, of whatever ground station, into the area, the heights and the route it needs."""

from maps.mission.mission import HeightFrame, Mission, Place, Waypoint
from maps.mission.needs import MissionNeeds, mission_area, mission_needs
from maps.mission.read_mission import read_mission

__all__ = [
    "HeightFrame",
    "Mission",
    "MissionNeeds",
    "Place",
    "Waypoint",
    "mission_area",
    "mission_needs",
    "read_mission",
]
