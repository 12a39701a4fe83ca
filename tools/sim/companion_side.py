"""The companion under test: wired as in flight, on a MAVLink link of its own, at simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from onboard.autopilot.link import MavlinkLink
from onboard.autopilot.session import AutopilotSession
from onboard.companion import Companion, Journal
from onboard.flight import Equipment, make_flight
from onboard.flight_settings import LinkSettings, Output
from onboard.messages import Event
from onboard.outputs.gps_input import GPS_ID

POLL_S = 0.0


class CompanionSide:
    """Everything but camera and threads is what `pilotage run` flies."""

    def __init__(
        self,
        equipment: Equipment,
        address: str,
        clock_ns: Callable[[], int],
        journal: Journal = lambda _: None,
    ) -> None:
        """clock_ns: the simulation's. Raises InputError: an address that can't be opened."""
        self._equipment = replace(
            equipment,
            settings=replace(equipment.settings, link=LinkSettings(address=address)),
        )
        self._clock_ns = clock_ns
        self._journal = journal
        self._open()

    def events(self) -> list[Event]:
        """What the autopilot told since the last call."""
        return self._session.poll(POLL_S)

    def restart(self) -> None:
        """As after a kill: nothing is remembered but what is kept on disk."""
        self._link.close()
        self._open()

    def close(self) -> None:
        self._link.close()

    def _open(self) -> None:
        settings = self._equipment.settings
        self._link = MavlinkLink(settings.link, clock_ns=self._clock_ns)
        echo = GPS_ID if Output.GPS_INPUT in settings.publish.outputs else None
        self._session = AutopilotSession(self._link, echo, self._clock_ns)
        self._flight = make_flight(self._equipment, self._journal, self._link)

    @property
    def companion(self) -> Companion:
        return self._flight.companion
