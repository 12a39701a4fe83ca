"""A flight's conversation with its autopilot: link, clock, streams and decoding in one thread.

`pilotage run` calls `poll` in a loop and hands the events on; everything else that is sent
goes through the link itself, from any thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from onboard.autopilot.decode import Decoder
from onboard.autopilot.link import LinkCounts, MavlinkLink
from onboard.autopilot.streams import StreamRequester, needed_streams
from onboard.autopilot.timesync import TimeSync
from onboard.messages import Event
from onboard.telemetry_messages import VehicleState

STATUS_EVERY_NS = 50_000_000


@dataclass(frozen=True)
class SessionStatus:
    """For people and for the watchdog. clock_restarts: reboots of the autopilot, or pauses;
    rates_hz: of the streams that were asked for."""

    is_connected: bool
    is_synced: bool
    clock_uncertainty_ms: float
    drift_ppm: float
    clock_restarts: int
    vehicle: VehicleState | None
    counts: LinkCounts
    rates_hz: dict[str, float] = field(default_factory=dict)


class AutopilotSession:
    """One thread polls; `status` may be asked by another."""

    def __init__(
        self,
        link: MavlinkLink,
        own_receiver: int | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """own_receiver: see `decode.Decoder`."""
        self._link = link
        self._clock_ns = clock_ns
        self._sync = TimeSync()
        self._decoder = Decoder(self._sync, own_receiver)
        self._streams = StreamRequester(link)
        self._vehicle: VehicleState | None = None
        self._restarts = 0
        self._status_ns = clock_ns()
        self._status = self._make_status(self._status_ns)

    def poll(self, timeout_s: float) -> list[Event]:
        """What the autopilot told, in the order in which it came; answers and asks what is due.
        Waits up to timeout_s; give 0.1 s or less, for requests are sent here, too."""
        events: list[Event] = []
        for message in self._link.receive(timeout_s):
            arrival_ns = self._link.arrival_ns
            kind = message.get_type()
            if kind == "TIMESYNC":
                answer = self._sync.hear(message, arrival_ns)
                if answer is not None:
                    self._link.send(answer)
                continue
            if kind == "COMMAND_ACK":
                self._streams.acknowledged(message, arrival_ns)
            self._streams.arrived(kind, arrival_ns)
            decoded = self._decoder.decode(message, arrival_ns)
            for event in decoded:
                if isinstance(event, VehicleState):
                    self._know(event)
            events += decoded
        self._act(self._clock_ns())
        return events

    @property
    def status(self) -> SessionStatus:
        return self._status

    def _know(self, vehicle: VehicleState) -> None:
        known = self._vehicle
        self._vehicle = vehicle
        same = known and (known.autopilot, known.kind) == (vehicle.autopilot, vehicle.kind)
        if not same:
            self._begin_streams(vehicle.time_ns)

    def _begin_streams(self, now_ns: int) -> None:
        if self._vehicle is not None:
            streams = needed_streams(self._vehicle, self._link.bytes_per_s, self._link.signs)
            self._streams.begin(streams, now_ns)

    def _act(self, now_ns: int) -> None:
        if self._sync.restarts != self._restarts:
            self._restarts = self._sync.restarts
            self._begin_streams(now_ns)
        is_connected = self._link.is_connected
        if is_connected:
            question = self._sync.question(now_ns)
            if question is not None:
                self._link.send(question)
            self._streams.act(now_ns)
        if now_ns - self._status_ns >= STATUS_EVERY_NS:
            self._status_ns = now_ns
            self._status = self._make_status(now_ns)

    def _make_status(self, now_ns: int) -> SessionStatus:
        return SessionStatus(
            is_connected=self._link.is_connected,
            is_synced=self._sync.is_synced,
            clock_uncertainty_ms=self._sync.uncertainty_ns(now_ns) * 1e-6,
            drift_ppm=self._sync.drift_ppm,
            clock_restarts=self._sync.restarts,
            vehicle=self._vehicle,
            counts=self._link.counts,
            rates_hz=self._streams.rates_hz(now_ns),
        )
