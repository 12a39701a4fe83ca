"""The one table of what is wired to what in a flight. Live flight and the replay of its
recording are made here, so they can't differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onboard.autopilot.contract import Link
from onboard.camera import Camera
from onboard.companion import Companion, Journal, JournalledLink, Part
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.flight_settings import FlightSettings, Output, TakeoverMethod
from onboard.loop import Navigator, NavigatorSettings
from onboard.outputs.gps_input import GPS_ID
from onboard.pack.map_pack import MapPack
from onboard.publish import Publisher
from onboard.takeover.takeover import Takeover

NOWHERE = Path("/nonexistent/takeover.json")  # without a takeover nothing is written


@dataclass(frozen=True)
class Flight:
    """The companion, and the parts that act at its ticks."""

    companion: Companion
    takeover: Takeover
    publisher: Publisher

    def begin_end(self) -> None:
        """What was taken over is to be given back, while ticks still tell the position."""
        self.takeover.end()

    def tick_without_position(self, now_ns: int) -> None:
        """A tick of the flight's end: whoever listens is told that there is no position."""
        self.publisher.act(now_ns, None, self.companion.navigator.gnss_at(now_ns))


@dataclass(frozen=True)
class Equipment:
    """What flies: opened, checked, and the same for a flight and its replay. takeover_file:
    where what is taken over is kept; None without a takeover."""

    settings: FlightSettings
    camera: Camera
    pack: MapPack
    describer: Describer
    utc_minus_clock_ns: int | None
    takeover_file: Path | None = None


def make_flight(
    equipment: Equipment,
    journal: Journal,
    link: Link,
    nmea_link: Link | None = None,
) -> Flight:
    """Raises InputError: outputs that can't be had, or not together."""
    settings = equipment.settings
    told = JournalledLink(link, journal)
    if settings.takeover.method is not TakeoverMethod.OFF and equipment.takeover_file is None:
        raise InputError("takeover: nowhere to keep what was taken over; name a file")
    takeover = Takeover(
        told, settings.takeover, settings.publish, equipment.takeover_file or NOWHERE
    )
    navigator = Navigator(
        equipment.pack,
        equipment.describer,
        equipment.camera,
        NavigatorSettings(
            use_gnss=settings.gnss.use,
            own_receiver=GPS_ID if Output.GPS_INPUT in settings.publish.outputs else None,
        ),
        doubts_gnss=takeover.doubts_gnss,
    )
    publisher = Publisher(
        told,
        settings.publish,
        equipment.utc_minus_clock_ns,
        JournalledLink(nmea_link, journal) if nmea_link is not None else None,
        is_held=takeover.is_held,
        height_said=lambda: navigator.height_said,
    )
    parts: tuple[Part, ...] = (takeover, publisher)
    return Flight(Companion(navigator, parts, journal), takeover, publisher)


class NoLink:
    """Where a replay's messages go: nowhere, the journal was told."""

    def send(self, message: Any) -> None:
        pass


def fan_out(*journals: Callable[[Any], None]) -> Callable[[Any], None]:
    """One journal that tells several, in this order."""

    def note(entry: Any) -> None:
        for journal in journals:
            journal(entry)

    return note
