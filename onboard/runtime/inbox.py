"""What goes on between the companion and the autopilot beside the position: the clock is kept
in step, the streams that are needed are asked for, messages become events."""

from __future__ import annotations

from typing import Any

from onboard.autopilot.contract import Link
from onboard.autopilot.decode import Decoder
from onboard.autopilot.streams import StreamRequester, needed_streams
from onboard.autopilot.timesync import TimeSync
from onboard.messages import Event, VehicleState


class Inbox:
    """For the link's thread. Its own messages are no part of the flight's journal: what they
    bring about arrives as events."""

    def __init__(
        self,
        link: Link,
        own_receiver: int | None,
        wire_bytes_per_s: float | None = None,
        signed: bool = False,
    ) -> None:
        """own_receiver: the gps_id of our GPS_INPUT where that is sent, whose echo is left out."""
        self.clock = TimeSync()
        self._link = link
        self._decoder = Decoder(self.clock, own_receiver)
        self._streams = StreamRequester(link)
        self._wire_bytes_per_s = wire_bytes_per_s
        self._signed = signed
        self._vehicle: tuple[str, str] | None = None
        self._restarts = 0

    def events(self, messages: list[Any], arrival_ns: int) -> list[Event]:
        """In the messages' order, stamped with host monotonic time."""
        events: list[Event] = []
        for message in messages:
            name = message.get_type()
            self._streams.arrived(name, arrival_ns)
            if name == "TIMESYNC":
                answer = self.clock.hear(message, arrival_ns)
                if answer is not None:
                    self._link.send(answer)
            elif name == "COMMAND_ACK":
                self._streams.acknowledged(message, arrival_ns)
            events += self._decoder.decode(message, arrival_ns)
        for event in events:
            if isinstance(event, VehicleState):
                self._begin_streams(event, arrival_ns)
        return events

    def act(self, now_ns: int) -> None:
        """Asks what is due."""
        question = self.clock.question(now_ns)
        if question is not None:
            self._link.send(question)
        self._streams.act(now_ns)

    def rates_hz(self, now_ns: int) -> dict[str, float]:
        """What comes, by message."""
        return self._streams.rates_hz(now_ns)

    def _begin_streams(self, vehicle: VehicleState, now_ns: int) -> None:
        """At the first heartbeat, when it is another vehicle, and after a reboot."""
        kind = (vehicle.autopilot, vehicle.kind)
        if kind == self._vehicle and self.clock.restarts == self._restarts:
            return
        self._vehicle, self._restarts = kind, self.clock.restarts
        streams = needed_streams(vehicle, self._wire_bytes_per_s, self._signed)
        self._streams.begin(streams, now_ns)
