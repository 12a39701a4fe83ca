"""Deselects ArduPilot's receiver by EKF source set 2 (ExternalNav), and goes back to set 1.

The set in use can't be read over MAVLink: an order counts as carried out when it was
acknowledged, and a pilot who switches sets by hand is not noticed; nothing is sent again, so he
is not fought either. The set's parameters are read before: set 2 must be ExternalNav.
"""

from __future__ import annotations

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.contract import Link
from onboard.autopilot.parameters import ParameterClient
from onboard.flight_settings import TakeoverMethod
from onboard.messages import Event
from onboard.takeover.takeover_file import Before, TakeoverFile
from onboard.takeover.takeover_selection import Selection
from onboard.telemetry_messages import CommandAck, LocalOrigin

NEEDED = {"EK3_SRC1_POSXY": 3.0, "EK3_SRC2_POSXY": 6.0, "VISO_TYPE": 1.0}  # GPS, ExternalNav
GNSS_SET, PILOTAGE_SET = 1, 2
ACCEPTED = 0  # MAV_RESULT
READ_NS = 10_000_000_000
AGAIN_NS = 400_000_000  # an order without an answer is repeated
TRIES = 10
KEY = "source_set"


class SourceSetSelector:
    """See `takeover_selection.Selector`."""

    def __init__(self, link: Link, file: TakeoverFile) -> None:
        """Raises InputError: the takeover file can't be read."""
        self._link = link
        self._client = ParameterClient(link)
        self._file = file
        self.selection = Selection.OWN if file.read() is None else Selection.PILOTAGE
        self.failure: str | None = None
        self._wanted_set = 0
        self._tries = 0
        self._sent_ns: int | None = None
        self._asked_ns: int | None = None
        self._has_origin = False

    def obstacle(self) -> str | None:
        if not self._has_origin:
            return "no origin heard"
        for name, value in NEEDED.items():
            outcome = self._client.outcome(name)
            if outcome is None or outcome.value is None:
                return f"{name} not read"
            if outcome.value != value:
                return f"{name} is not {value:.0f}"
        return None

    def remember(self) -> None:
        """Nothing yet: whether set 2 is in use can't be read afterwards, so the file is written
        when it is ordered."""

    def forget(self) -> None:
        """Nothing was kept."""

    def take(self, now_ns: int) -> None:
        self._file.write(Before(TakeoverMethod.SOURCE_SET, {KEY: float(GNSS_SET)}))
        self._order(Selection.TAKING, PILOTAGE_SET)

    def give(self, now_ns: int) -> None:
        self._order(Selection.GIVING, GNSS_SET)

    def hear(self, event: Event) -> None:
        self._client.hear(event)
        self._has_origin |= isinstance(event, LocalOrigin)
        if not isinstance(event, CommandAck) or self._sent_ns is None:
            return
        if event.command != mavlink.MAV_CMD_SET_EKF_SOURCE_SET:
            return
        if event.result != ACCEPTED:
            self.failure = f"source set {self._wanted_set} refused"
        elif self.selection is Selection.TAKING:
            self.selection, self.failure, self._sent_ns = Selection.PILOTAGE, None, None
        elif self.selection is Selection.GIVING:
            self.selection, self.failure, self._sent_ns = Selection.OWN, None, None
            self._file.remove()

    def act(self, now_ns: int) -> None:
        if self.selection in (Selection.TAKING, Selection.GIVING):
            gap_ns = AGAIN_NS if self._tries <= TRIES else READ_NS
            if self._sent_ns is None or not 0 <= now_ns - self._sent_ns < gap_ns:
                self._send(now_ns)
        elif self._client.is_idle and (
            self._asked_ns is None or not 0 <= now_ns - self._asked_ns < READ_NS
        ):
            self._client.request(*NEEDED)
            self._asked_ns = now_ns
        self._client.act(now_ns)

    def _order(self, selection: Selection, source_set: int) -> None:
        self.selection, self._wanted_set = selection, source_set
        self.failure, self._tries, self._sent_ns = None, 0, None

    def _send(self, now_ns: int) -> None:
        self._sent_ns = now_ns
        self._tries += 1
        if self._tries > TRIES:
            self.failure = f"source set {self._wanted_set} unanswered"
        self._link.send(
            mavlink.MAVLink_command_long_message(
                target_system=0,
                target_component=mavlink.MAV_COMP_ID_AUTOPILOT1,
                command=mavlink.MAV_CMD_SET_EKF_SOURCE_SET,
                confirmation=min(self._tries - 1, 255),
                param1=float(self._wanted_set),
                param2=0.0,
                param3=0.0,
                param4=0.0,
                param5=0.0,
                param6=0.0,
                param7=0.0,
            )
        )
