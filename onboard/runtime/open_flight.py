"""From a flight's settings file to a flight that is ready: everything is checked and opened
before the first message, each mistake told in a sentence."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onboard.autopilot.link import MavlinkLink
from onboard.autopilot.session import AutopilotSession
from onboard.autopilot.transport import Transport, open_transport
from onboard.camera import Camera
from onboard.cameras.choose import open_camera
from onboard.cameras.contract import FrameSource
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.flight import Equipment, Flight, fan_out, make_flight
from onboard.flight_settings import FlightSettings, Output, TakeoverMethod
from onboard.inference.engine_record import state_folder
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle, shipped_bundle_of
from onboard.outputs.gps_input import GPS_ID
from onboard.pack.accepted_maps import FILE_NAME as ACCEPTED_MAPS
from onboard.pack.found_pack import FoundPack, MapTrust, find_pack, take, trust_of
from onboard.pack.map_pack import MapPack
from onboard.pack.taken_map import FILE_NAME as TAKEN_MAP
from onboard.recording.recorder import Recorder
from onboard.recording.start import start_table, without_password
from onboard.runtime.checked_pack import open_checked_pack, stamp_folder
from onboard.runtime.frame_loop import FrameLoop
from onboard.runtime.frame_tally import FrameTally
from onboard.runtime.health import HealthReport
from onboard.runtime.link_reader import LinkReader
from onboard.runtime.live import LiveFlight, Threads
from onboard.runtime.map_health import MapHealth
from onboard.runtime.publish_loop import PublishLoop
from onboard.settings import load_settings
from onboard.system_clock import UNIX_S_AT_LEAST
from onboard.web.server import StatusServer, serve
from onboard.web.status_board import StatusBoard
from onboard.whole_file import make_folder

log = logging.getLogger(__name__)

TAKEOVER_FILE = "takeover.json"


@dataclass(frozen=True)
class Opened:
    """live runs the flight; said: what it runs on, a sentence each; close gives all back."""

    live: LiveFlight
    said: tuple[str, ...]
    close: ExitStack


def read_flight_settings(path: Path) -> FlightSettings:
    """The file with its relative paths counted from its own folder.

    Raises InputError: as `load_settings` does; map, camera, camera_file or link.address missing.
    """
    settings = load_settings(path, FlightSettings)
    for name, value in (
        ("map", settings.map),
        ("camera", settings.camera),
        ("camera_file", settings.camera_file),
        ("link.address", settings.link.address),
    ):
        if not value:
            raise InputError(f"{path}: '{name}' is missing; a flight needs it")
    here = path.resolve().parent
    key, folder = settings.link.signing_key_file, settings.recording.folder
    assert settings.map is not None and settings.camera_file is not None
    return replace(
        settings,
        map=here / settings.map,
        map_public_key=here / settings.map_public_key if settings.map_public_key else None,
        camera=_from_here(settings.camera, here),
        camera_file=here / settings.camera_file,
        link=replace(settings.link, signing_key_file=here / key if key else None),
        recording=replace(settings.recording, folder=here / folder if folder else None),
    )


def _from_here(camera: str, here: Path) -> str:
    """A recording's path counts from the settings file's folder, other sources stay."""
    path = camera.partition("?")[0]
    return str(here / camera) if path and (here / path).exists() else camera


def open_flight(settings: FlightSettings) -> Opened:
    """The cheap checks first; map and network load side by side.

    Raises InputError: whatever is not good, in a sentence.
    """
    assert settings.map is not None and settings.camera_file is not None
    with ExitStack() as stack:
        camera = load_settings(settings.camera_file, Camera)
        trust = trust_of(settings.map_public_key, state_folder() / ACCEPTED_MAPS, _taken_map())
        found = find_pack(settings.map, trust)
        link = MavlinkLink(settings.link)
        stack.callback(link.close)
        nmea = _open_nmea(settings, stack)
        source = open_camera(settings.camera, settings.frame_hz, camera)
        stack.callback(source.close)
        pack, describer = _map_and_network(settings, found, trust)
        stack.callback(pack.index.close)
        utc_ns = time.time_ns() - time.monotonic_ns()
        equipment = Equipment(
            settings=settings,
            camera=camera,
            pack=pack,
            describer=describer,
            utc_minus_clock_ns=utc_ns if time.time() >= UNIX_S_AT_LEAST else None,
            takeover_file=_takeover_file(settings),
        )
        board, server = _status_page(settings, pack, stack)
        recorder, not_recording = _recorder(equipment, utc_ns, stack)
        journals = [recorder.note] if recorder else []
        echo = GPS_ID if Output.GPS_INPUT in settings.publish.outputs else None
        tally = FrameTally(pack.bounds, echo, time.monotonic())
        map_health = MapHealth()
        hearers = (tally.note, map_health.note)
        journal = fan_out(*journals, *([board.note] if board else []), *hearers)
        flight = make_flight(equipment, journal, link, nmea)
        session = AutopilotSession(link, own_receiver=echo)
        threads = _threads(flight, source, session)
        report = HealthReport(
            source,
            link,
            session,
            threads.publisher,
            map_health,
            recorder,
            board,
            not_recording,
        )
        live = LiveFlight(threads, journal, report.report, tally)
        return Opened(
            live, _said(equipment, found, recorder, server, not_recording), stack.pop_all()
        )


def _threads(flight: Flight, source: FrameSource, session: AutopilotSession) -> Threads:
    lock = threading.Lock()
    return Threads(
        flight=flight,
        frames=FrameLoop(flight.companion, source, lock),
        link=LinkReader(flight.companion, session, lock),
        publisher=PublishLoop(flight.companion.tick, lock),
        lock=lock,
    )


def _map_and_network(
    settings: FlightSettings, found: FoundPack, trust: MapTrust | None
) -> tuple[MapPack, Describer]:
    """Without a model of its own, a flight takes the one that the map was described with."""
    described_with = found.manifest.model.sha256
    bundle = load_bundle(shipped_bundle_of(described_with) or DEFAULT_BUNDLE)
    with ThreadPoolExecutor(1) as pool:
        network = pool.submit(Describer, bundle, None, settings.inference.backend)
        pack = open_checked_pack(found, bundle, stamp_folder())
        pack.index.check()  # what is damaged shall show now
        pack.index.warm()  # and the first search be quick
        describer = network.result()
    take(found, trust)
    return pack, describer


def _taken_map() -> Path | None:
    folder = stamp_folder()
    return folder / TAKEN_MAP if folder else None


def _takeover_file(settings: FlightSettings) -> Path:
    """Without a takeover, too: one that was not given back is to be told. Raises InputError:
    its folder can't be made."""
    if settings.takeover.method is not TakeoverMethod.OFF:
        make_folder(state_folder())
    return state_folder() / TAKEOVER_FILE


def _text(path: Path | None) -> str:
    """'' where there is none; what can't be read is the takeover's to tell."""
    try:
        return path.read_text(encoding="utf-8") if path else ""
    except (OSError, ValueError):
        return ""


def _recorder(equipment: Equipment, utc_ns: int, stack: ExitStack) -> tuple[Recorder | None, str]:
    """And why there is none though one is wanted, else '': a disk that failed in the air must not
    keep a companion that starts anew from flying."""
    if equipment.settings.recording.folder is None:
        return None, ""
    start = start_table(
        equipment.settings,
        equipment.camera,
        equipment.pack,
        equipment.describer,
        equipment.utc_minus_clock_ns,
        _text(equipment.takeover_file),
    )
    try:
        recorder = Recorder(equipment.settings.recording, start, utc_ns, equipment.pack)
    except InputError as e:
        return None, str(e)
    stack.callback(recorder.close)
    return recorder, ""


def _status_page(
    settings: FlightSettings, pack: MapPack, stack: ExitStack
) -> tuple[StatusBoard | None, StatusServer | None]:
    if not settings.web.address:
        return None, None
    board = StatusBoard()
    server = serve(settings.web, board, pack)
    stack.callback(server.close)
    return board, server


class NmeaLink:
    """Bytes to a transport of their own."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, message: Any) -> None:
        self._transport.receive(0.0)  # what is lost is opened again by who receives
        self._transport.send(message)


def _open_nmea(settings: FlightSettings, stack: ExitStack) -> NmeaLink | None:
    if not settings.publish.nmea_address:
        return None
    transport = open_transport(settings.publish.nmea_address)
    stack.callback(transport.close)
    return NmeaLink(transport)


def _said(
    equipment: Equipment,
    found: FoundPack,
    recorder: Recorder | None,
    server: StatusServer | None,
    not_recording: str,
) -> tuple[str, ...]:
    settings, pack = equipment.settings, equipment.pack
    network = equipment.describer.network
    said = [
        f"map '{pack.manifest.name}' in {pack.path.name}: "
        f"{sum(map(pack.manifest.tile_count, pack.levels))} tiles at levels "
        f"{', '.join(map(str, pack.levels))}",
        f"map signature: {found.said}",
        f"map error: {pack.manifest.map_error_said}",
        f"{equipment.describer.bundle.id} runs on {network.runs_on}",
        f"camera {without_password(settings).camera}, {settings.frame_hz:g} frames/s at most",
        f"autopilot at {settings.link.address}, told by "
        f"{', '.join(o.value for o in settings.publish.outputs)} ({settings.publish.when.value})",
        f"takeover: {settings.takeover.method.value}",
    ]
    said += pack.index_notes()
    if equipment.utc_minus_clock_ns is None:
        said.append("the machine's clock was never set: messages carry no UTC")
    if recorder is not None:
        said.append(f"recording to {recorder.health().path}")
    else:
        said.append(f"NOT RECORDING: {not_recording}" if not_recording else "not recording")
    if server is not None:
        said.append(f"status page: {server.url}")
    return tuple(said)
