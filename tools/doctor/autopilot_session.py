"""A few seconds on the autopilot's link: what it says by itself and what it answers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.autopilot.decode import Decoder
from onboard.autopilot.link import MavlinkLink
from onboard.autopilot.parameters import ParameterClient, ParameterOutcome
from onboard.autopilot.preset import Difference, apply
from onboard.autopilot.timesync import TimeSync
from onboard.autopilot.vehicle_state import vehicle_state
from onboard.flight_settings import LinkSettings
from onboard.telemetry_messages import VehicleState

HEARTBEAT_WITHIN_S = 3.5  # autopilots send one a second
ANSWER_WITHIN_S = 2.0
POLL_S = 0.05
OWN_HEARTBEAT_S = 1.0
NOT_ZERO_1E7 = 10  # 1e-6 degrees: 0/0 says that there is no position


@dataclass
class Heard:
    """All that came so far. latest by message name; counts since the streams were asked for."""

    latest: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class AutopilotSession:
    """Listens from its start in a thread of its own until `close`; any thread may ask."""

    def __init__(self, settings: LinkSettings) -> None:
        """Raises InputError: the link can't be opened."""
        self.settings = settings
        self.link = MavlinkLink(settings)
        self._changed = threading.Condition()
        self._heard = Heard()
        self._parameters = ParameterClient(self.link)
        self._applying = False
        self._decoder = Decoder(TimeSync())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="autopilot", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(1.0)
        self.link.close()

    def latest(self, name: str, within_s: float = 0.0) -> Any | None:
        """The newest message of a name, waited for; None: none came."""
        return self._wait_for(lambda: self._heard.latest.get(name), within_s)

    def heartbeat(self) -> Any | None:
        """The autopilot's, waited for; None: it is silent."""
        return self.latest("HEARTBEAT", HEARTBEAT_WITHIN_S)

    def vehicle(self) -> VehicleState | None:
        """As its heartbeat tells it, waited for; None: it is silent."""
        heartbeat = self.heartbeat()
        return None if heartbeat is None else vehicle_state(heartbeat, time.monotonic_ns())

    def ask_for(self, message_id: int, name: str) -> Any | None:
        """MAV_CMD_REQUEST_MESSAGE; None: not given. One lost answer is asked for again."""
        for _ in range(2):
            self._command(mavlink.MAV_CMD_REQUEST_MESSAGE, float(message_id))
            found = self.latest(name, ANSWER_WITHIN_S / 2)
            if found is not None:
                return found
        return None

    def rates_hz(self, wanted_hz: dict[int, float], for_s: float) -> dict[str, float]:
        """Asks for messages at rates (SET_MESSAGE_INTERVAL, this link only) and counts what
        comes; by message name, for all that came."""
        for message_id, hz in wanted_hz.items():
            self._command(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, float(message_id), 1e6 / hz)
        self._stop.wait(0.5)  # until they are taken in
        with self._changed:
            self._heard.counts.clear()
            began_s = time.monotonic()
        self._stop.wait(for_s)
        with self._changed:
            spent_s = time.monotonic() - began_s
            return {name: count / spent_s for name, count in self._heard.counts.items()}

    def round_trip_s(self, tries: int = 5) -> tuple[float, float] | None:
        """(shortest round trip of TIMESYNC, spread of the clock offsets), None: no answer."""
        found: list[tuple[int, int]] = []
        for _ in range(tries):
            sent_ns = time.monotonic_ns()
            self.link.send(mavlink.MAVLink_timesync_message(tc1=0, ts1=sent_ns))
            reply = self._wait_for(partial(self._answer_to, sent_ns), ANSWER_WITHIN_S / tries)
            if reply is not None:
                back_ns = time.monotonic_ns()
                found.append((back_ns - sent_ns, int(reply.tc1) - (sent_ns + back_ns) // 2))
        if not found:
            return None
        offsets = [offset for _, offset in found]
        return min(trip for trip, _ in found) * 1e-9, (max(offsets) - min(offsets)) * 1e-9

    def parameters(self, names: Iterable[str], within_s: float) -> dict[str, ParameterOutcome]:
        """Reads several; those that had no answer in time are still waiting."""
        wanted = list(names)
        with self._changed:
            self._parameters.request(*wanted)
        self._wait_for(lambda: self._parameters.is_idle or None, within_s)
        return self._outcomes(wanted)

    def apply(self, found: Sequence[Difference], within_s: float) -> dict[str, ParameterOutcome]:
        """Writes what differs and reads it back, while the vehicle stays disarmed: once it is
        armed, what is not written yet stays as it was.

        Raises InputError: the vehicle is armed, or silent.
        """
        with self._changed:
            self._heard.latest.pop("HEARTBEAT", None)  # armed or not is asked of a new one
        vehicle = self.vehicle()
        with self._changed:
            names = [w.name for w in apply(found, self._parameters, vehicle)]
            self._applying = True
        self._wait_for(lambda: self._parameters.is_idle or None, within_s)
        outcomes = self._outcomes(names)
        with self._changed:
            self._applying = False
            self._parameters.cancel()  # nothing is written behind the answer
        return outcomes

    def position(self) -> tuple[float, float] | None:
        """(lat_deg, lon_deg) of the vehicle, else of its home."""
        if self.heartbeat() is None:
            return None
        now = self.ask_for(mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT, "GLOBAL_POSITION_INT")
        if now is not None and max(abs(now.lat), abs(now.lon)) > NOT_ZERO_1E7:
            return now.lat * 1e-7, now.lon * 1e-7
        home = self.ask_for(mavlink.MAVLINK_MSG_ID_HOME_POSITION, "HOME_POSITION")
        if home is not None and max(abs(home.latitude), abs(home.longitude)) > NOT_ZERO_1E7:
            return home.latitude * 1e-7, home.longitude * 1e-7
        return None

    def _answer_to(self, sent_ns: int) -> Any | None:
        reply = self._heard.latest.get("TIMESYNC")
        return reply if reply is not None and reply.ts1 == sent_ns and reply.tc1 else None

    def _outcomes(self, names: list[str]) -> dict[str, ParameterOutcome]:
        with self._changed:
            found = {name: self._parameters.outcome(name) for name in names}
        return {name: outcome for name, outcome in found.items() if outcome is not None}

    def _command(self, command: int, *parameters: float) -> None:
        filled = [*parameters, *[0.0] * (7 - len(parameters))]
        self.link.send(
            mavlink.MAVLink_command_long_message(
                0, mavlink.MAV_COMP_ID_AUTOPILOT1, command, 0, *filled
            )
        )

    def _wait_for(self, found: Callable[[], Any | None], within_s: float) -> Any | None:
        with self._changed:
            self._changed.wait_for(lambda: found() is not None, within_s)
            return found()

    def _listen(self) -> None:
        said_s = 0.0
        while not self._stop.is_set():
            now_s = time.monotonic()
            if now_s - said_s >= OWN_HEARTBEAT_S:  # who listens on UDP answers whoever spoke
                said_s = now_s
                self.link.send(_own_heartbeat())
            messages = self.link.receive(POLL_S)
            with self._changed:
                for message in messages:
                    self._take(message)
                self._parameters.act(time.monotonic_ns())
                self._changed.notify_all()

    def _take(self, message: Any) -> None:
        name, now_ns = message.get_type(), time.monotonic_ns()
        self._heard.latest[name] = message
        self._heard.counts[name] += 1
        for event in self._decoder.decode(message, now_ns):
            self._parameters.hear(event)
            if self._applying and isinstance(event, VehicleState) and event.armed:
                self._parameters.cancel()


def _own_heartbeat() -> Any:
    return mavlink.MAVLink_heartbeat_message(
        mavlink.MAV_TYPE_ONBOARD_CONTROLLER,
        mavlink.MAV_AUTOPILOT_INVALID,
        0,
        0,
        mavlink.MAV_STATE_STANDBY,
        3,
    )
