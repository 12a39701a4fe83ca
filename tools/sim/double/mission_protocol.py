"""Upload and download of missions, as ground stations do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

if TYPE_CHECKING:
    from tools.sim.double.autopilot import Autopilot

MOST_ITEMS = 700
MISSION = mavlink.MAV_MISSION_TYPE_MISSION
ACCEPTED, ERROR, BAD_SEQUENCE, NO_SPACE, NOT_SUPPORTED = (
    mavlink.MAV_MISSION_ACCEPTED,
    mavlink.MAV_MISSION_ERROR,
    mavlink.MAV_MISSION_INVALID_SEQUENCE,
    mavlink.MAV_MISSION_NO_SPACE,
    mavlink.MAV_MISSION_UNSUPPORTED,
)


class MissionProtocol:
    """One upload at a time."""

    def __init__(self, autopilot: Autopilot) -> None:
        self._autopilot = autopilot
        self._expected = 0
        self._items: list[Any] = []

    def hear(self, m: Any, link: int) -> None:
        """Whatever is no mission message is passed over."""
        kind = m.get_type()
        if kind.startswith("MISSION") and getattr(m, "mission_type", MISSION) != MISSION:
            self._ack(m, link, NOT_SUPPORTED)
        elif kind == "MISSION_COUNT":
            self._begin(m, link)
        elif kind == "MISSION_ITEM_INT":
            self._take(m, link)
        elif kind == "MISSION_CLEAR_ALL":
            self._autopilot.plan.load([])
            self._ack(m, link, ACCEPTED)
        elif kind == "MISSION_SET_CURRENT":
            self._autopilot.plan.go_to(m.seq)
        elif kind == "MISSION_REQUEST_LIST":
            count = len(self._autopilot.plan.items)
            self._say(
                mavlink.MAVLink_mission_count_message(
                    m.get_srcSystem(), m.get_srcComponent(), count, MISSION
                ),
                link,
            )
        elif kind in ("MISSION_REQUEST", "MISSION_REQUEST_INT"):
            self._tell_item(m, link)

    def _begin(self, m: Any, link: int) -> None:
        if m.count > MOST_ITEMS:
            self._ack(m, link, NO_SPACE)
            return
        self._expected, self._items = m.count, []
        if m.count == 0:
            self._autopilot.plan.load([])
            self._ack(m, link, ACCEPTED)
        else:
            self._ask(m, link)

    def _take(self, m: Any, link: int) -> None:
        if m.seq == len(self._items) - 1 and self._items:
            self._ask(m, link)  # it was sent twice
            return
        if self._expected == 0:
            self._ack(m, link, ERROR)
            return
        if m.seq != len(self._items) or m.seq >= self._expected:
            self._ack(m, link, BAD_SEQUENCE)
            return
        self._items.append(m)
        if len(self._items) == self._expected:
            self._expected = 0
            self._autopilot.plan.load(self._items)
            self._ack(m, link, ACCEPTED)
            self._autopilot.tell("Flight plan received")
        else:
            self._ask(m, link)

    def _ask(self, m: Any, link: int) -> None:
        self._say(
            mavlink.MAVLink_mission_request_message(
                m.get_srcSystem(), m.get_srcComponent(), len(self._items), MISSION
            ),
            link,
        )

    def _tell_item(self, m: Any, link: int) -> None:
        items = self._autopilot.plan.items
        if m.seq >= len(items):
            self._ack(m, link, BAD_SEQUENCE)
            return
        i = items[m.seq]
        self._say(
            mavlink.MAVLink_mission_item_int_message(
                m.get_srcSystem(), m.get_srcComponent(), i.seq, i.frame, i.command, 0,
                i.autocontinue, i.param1, i.param2, i.param3, i.param4, i.x, i.y, i.z, MISSION,
            ),
            link,
        )  # fmt: skip

    def _ack(self, m: Any, link: int, result: int) -> None:
        self._say(
            mavlink.MAVLink_mission_ack_message(
                m.get_srcSystem(), m.get_srcComponent(), result, MISSION
            ),
            link,
        )

    def _say(self, message: Any, link: int) -> None:
        self._autopilot.say(message, link)
