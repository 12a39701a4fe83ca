"""Brings a simulated autopilot to the point where a scenario starts: set up, armed, a mission."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from onboard.errors import InputError
from tools.sim.ground_station import GroundStation
from tools.sim.mission import mission_items
from tools.sim.scenario import Scenario

READY_S = 240.0  # until its EKF has settled; some 45 s of its own time
SETTLED_M = 30.0  # the start may lie this far from where the scenario wants it


def set_up(
    connect: Callable[[], GroundStation], parameters: Mapping[str, float], needs_reboot: set[str]
) -> GroundStation:
    """Sets what differs, and reboots where that is needed. Raises InputError."""
    station = connect()
    changed = set()
    for _ in range(2):  # some parameters appear only after the reboot that switches them on
        changed = {
            name
            for name, value in parameters.items()
            if (have := station.parameter(name)) is None or abs(have - value) > 1e-6
        }
        absent = set()
        for name in sorted(changed):
            if station.parameter(name) is None:
                absent.add(name)
            else:
                station.set_parameter(name, parameters[name])
        if not changed & (needs_reboot | absent):
            return station
        station.reboot()
        station.close()
        time.sleep(1.0)
        station = connect()
    if absent:
        raise InputError(f"the autopilot has no parameter {', '.join(sorted(absent))}")
    return station


def upload(station: GroundStation, scenario: Scenario, home: tuple[float, float]) -> None:
    """The mission, flown in mode AUTO."""
    station.upload_mission(mission_items(scenario.mission, home, station.system_id))


def arm(station: GroundStation) -> None:
    """In mode GUIDED, when the autopilot lets itself be armed."""
    station.request_streams()
    station.set_mode("GUIDED")
    station.arm(READY_S)
