"""A small flight over the small area, recorded: its frames interleaved with everything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onboard.camera import Camera
from onboard.companion import Journal
from onboard.describe import Describer
from onboard.flight import Equipment, Flight, NoLink, fan_out, make_flight
from onboard.flight_settings import FlightSettings, LinkSettings, RecordingSettings
from onboard.messages import Event, Frame
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.publish import PERIOD_NS
from onboard.recording.recorder import Recorder
from onboard.recording.start import start_table
from onboard.recording.steps import Ending, Stopped
from onboard.settings import load_settings
from tests.tools.small_area import SmallArea
from tools.photo_folder import photo_events, read_flight

UTC_MINUS_CLOCK_NS = 0  # photographs are stamped in Unix time


@dataclass(frozen=True)
class Flown:
    path: Path
    equipment: Equipment


def equipment_of(area: SmallArea, folder: Path, recordings: Path, **more: object) -> Equipment:
    """folder: of the flight, whose camera file stands beside it."""
    settings = FlightSettings(
        map=area.pack,
        camera=f"{folder}?fps=2",
        camera_file=folder.parent / "cam.toml",
        link=LinkSettings(address="udpout:127.0.0.1:14550"),
        recording=RecordingSettings(folder=recordings, frame_hz=60.0),
        **more,
    )
    bundle = load_bundle()
    return Equipment(
        settings=settings,
        camera=load_settings(folder.parent / "cam.toml", Camera),
        pack=MapPack.open(area.pack, bundle),
        describer=Describer(bundle, threads=1),
        utc_minus_clock_ns=UTC_MINUS_CLOCK_NS,
    )


def events_of(folder: Path) -> Iterator[Event]:
    """A flight's events; among its frames one black, one undecodable and one that comes twice."""
    flight = read_flight(folder, None, None)
    for event in photo_events(flight.photos, by_gimbal=False):
        yield event
        if isinstance(event, Frame) and event.image is not None:
            yield event
            later_ns = event.time_ns + 100_000_000
            yield replace(event, time_ns=later_ns, image=np.zeros_like(event.image), name="black")
            yield replace(event, time_ns=later_ns + 1, image=None, name="none")


def record(area: SmallArea, folder: Path, recordings: Path) -> Flown:
    """Flown in one thread, but with ticks between a frame's steps as threads would have them."""
    equipment = equipment_of(area, folder, recordings)
    recorder = recorder_of(equipment)
    flight = make_flight(equipment, fan_out(recorder.note), NoLink())
    now_ns = fly(flight, events_of(folder))
    recorder.note(Ending(now_ns))
    flight.begin_end()
    recorder.note(Stopped(now_ns))
    flight.tick_without_position(now_ns)
    recorder.close()
    return Flown(recorder.health().path, equipment)


def recorder_of(equipment: Equipment) -> Recorder:
    start = start_table(
        equipment.settings,
        equipment.camera,
        equipment.pack,
        equipment.describer,
        equipment.utc_minus_clock_ns,
    )
    return Recorder(equipment.settings.recording, start, UTC_MINUS_CLOCK_NS, equipment.pack)


def fly(flight: Flight, events: Iterator[Event]) -> int:
    """The time of the last tick."""
    companion, now_ns = flight.companion, 0
    for event in events:
        now_ns = max(now_ns, event.time_ns)
        if not isinstance(event, Frame):
            companion.handle(event)
            companion.tick(now_ns)
            continue
        number, work = companion.begin(event)
        companion.navigator.look(work)
        companion.tick(now_ns)
        companion.take_motion(number, work)
        companion.tick(now_ns + PERIOD_NS // 2)
        companion.navigator.find(work)
        companion.tick(now_ns + PERIOD_NS)
        companion.finish(number, work)
    return now_ns + 2 * PERIOD_NS


def ignored(_: object) -> None:
    """A journal."""


nothing: Journal = ignored
