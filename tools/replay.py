"""`pilotage replay`: a recorded flight through the companion, in time order."""

from __future__ import annotations

import argparse
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from maps.progress import progress_s
from onboard.autopilot.link import MavlinkLink
from onboard.camera import Camera
from onboard.companion import Companion
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.loop import Navigator
from onboard.messages import Event
from onboard.pack.map_pack import MapPack
from onboard.publish import Publisher
from onboard.recording.reader import Recording
from onboard.recording.replay import replay
from onboard.whole_file import make_folder
from tools.flight_inputs import (
    add_flight_arguments,
    open_flight_inputs,
    open_map,
    outside_map,
    refuse_far_map,
)
from tools.log_flight import add_log_arguments, open_log_flight
from tools.logs.open_log import is_log
from tools.photo_camera import MOUNTING_GUESSED
from tools.photo_folder import photo_events
from tools.replay_driver import drive, run_record
from tools.report import write_report
from tools.report_data import summary_rows
from tools.scores import total
from tools.truth import Track, read_reference, recorded_track

HELP = (
    "Flies a recorded flight through the companion: a folder of photographs (EXIF and XMP, or a "
    "CSV of poses); or an autopilot's log (.bin, .tlog, .ulg), DJI's subtitles (.SRT) or a table "
    "of a video's poses (.csv) with pictures, a video, or a rendering of imagery; and writes a "
    "report, fixes.csv and fixes.geojson. With --mavlink it also sends GPS_INPUT at 10 Hz of the "
    "recording's time. A recording of Pilotage's own (.mcap) is handed over again step by step, "
    "and what is sent compared byte for byte."
)
MAX_SECONDS = 86_400.0
# Options that only one kind of flight knows.
OF_PHOTOGRAPHS = ("poses", "agl_m")
OF_LOGS = (
    *("pictures", "pictures_ahead", "video", "video_starts", "frame_hz"),
    *("render", "dem", "yaw_from_course"),
)
OF_FLIGHTS = ("camera", "mavlink", "gnss_lost_after", "pace", "report")
MOST_SHOWN = 5  # differences of a recording
_UNITS_S = {"s": 1.0, "min": 60.0, "": 1.0}


@dataclass(frozen=True)
class _Flight:
    """What is common to photographs and logs. frames: None where nobody knows."""

    pack: MapPack
    describer: Describer
    camera: Camera
    events: Iterator[Event]
    frames: int | None
    track: Track
    centres: dict[str, tuple[float, float]] | None
    lost_ns: int | None
    utc_minus_clock_ns: int | None
    notes: tuple[str, ...]
    off_map_m: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("flight", type=Path, help="folder of photographs, log, or .mcap")
    add_flight_arguments(parser)
    add_log_arguments(parser)
    parser.add_argument("--mavlink", help="where to send: udpout:127.0.0.1:14550, /dev/ttyUSB0")
    parser.add_argument(
        "--gnss-lost-after",
        type=duration_s,
        metavar="TIME",
        help="take the receiver away after this time, as 20s or 2min (0s: never had one)",
    )
    parser.add_argument("--pace", choices=("recorded", "fast"), help="default: fast")
    parser.add_argument("--report", type=Path, help="output folder (default: replay-out)")


def run(args: argparse.Namespace) -> int:
    _refuse_unused(args)
    if _is_recording(args.flight):
        return _replay_recording(args)
    args.report = args.report or Path("replay-out")
    flight = _open_log(args) if is_log(args.flight) else _open_photographs(args)
    make_folder(args.report)
    for note in flight.notes:
        print(note)
    navigator = Navigator(flight.pack, flight.describer, flight.camera)
    link = MavlinkLink.to(args.mavlink) if args.mavlink else None
    utc = flight.utc_minus_clock_ns
    parts = (Publisher(link, utc_minus_clock_ns=utc),) if link else ()
    try:
        with tqdm(total=flight.frames, unit="frame", smoothing=0, mininterval=progress_s()) as bar:
            driven = drive(
                flight.events,
                Companion(navigator, parts),
                flight.pack,
                recorded_pace=args.pace == "recorded",
                on_frame=lambda _: bar.update(),
            )
    finally:
        if link:
            link.close()
    if not driven.frames:
        raise InputError(f"{args.flight}: no frame falls into the flight; give its own pictures")
    record = run_record(
        f"Replay of {args.flight.resolve().name}",
        driven,
        flight.track,
        flight.centres,
        flight.lost_ns,
        flight.notes,
        messages_sent=len(driven.ticks) if link else 0,
    )
    path = write_report(args.report, record, flight.pack)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = [*summary_rows(record), ("peak resident memory", f"{peak_mb:.0f} MB")]
    width = max(len(what) for what, _ in rows)
    for what, figure in rows:
        print(f"  {what:<{width}}  {figure}")
    for reason, n in total("", record.scores).refusals.items():
        print(f"  refused  {n:4d}  {reason}")
    if MOUNTING_GUESSED in flight.notes:
        print(f"  {MOUNTING_GUESSED}")
    print(f"report: {path}")
    refuse_far_map(flight.pack, flight.off_map_m)
    return 0


def duration_s(text: str) -> float:
    """For argparse: seconds of 20, 20s, 1.5min."""
    number = text.rstrip("smin")
    try:
        seconds = float(number) * _UNITS_S[text[len(number) :]]
    except (ValueError, KeyError) as e:
        raise argparse.ArgumentTypeError(f"'{text}' is no time; give 20s or 2min") from e
    if not 0 <= seconds < MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"'{text}' is not between 0s and a day")
    return seconds


def _open_photographs(args: argparse.Namespace) -> _Flight:
    inputs = open_flight_inputs(args.flight, args)
    photos = inputs.flight.photos
    lost_ns = None
    if args.gnss_lost_after is not None:
        lost_ns = photos[0].time_ns + round(args.gnss_lost_after * 1e9)
    return _Flight(
        inputs.pack,
        inputs.describer,
        inputs.camera,
        photo_events(photos, inputs.by_gimbal, lost_ns),
        len(photos),
        recorded_track(photos),
        read_reference(args.flight),
        lost_ns,
        0,
        inputs.notes,
        inputs.off_map_m,
    )


def _open_log(args: argparse.Namespace) -> _Flight:
    log = open_log_flight(args.flight, args, args.gnss_lost_after)
    pack, describer, runs = open_map(args)
    lost_ns = None
    if args.gnss_lost_after is not None:
        lost_ns = log.start_ns + round(args.gnss_lost_after * 1e9)
    track = log.track
    placed = list(zip(track.lat_deg.tolist(), track.lon_deg.tolist(), strict=True))
    outside, off_map_m = outside_map(placed, pack)
    notes = [runs, *log.notes]
    if outside:
        notes.append(f"{outside} of {len(placed)} recorded positions lie outside the map")
    return _Flight(
        pack,
        describer,
        log.camera,
        log.events,
        log.frames,
        track,
        None,
        lost_ns,
        log.utc_minus_clock_ns,
        tuple(notes),
        off_map_m,
    )


def _refuse_unused(args: argparse.Namespace) -> None:
    """Raises InputError: an option that this kind of flight has no use for."""
    unused: tuple[str, ...]
    if _is_recording(args.flight):
        kind, unused = "a recording", (*OF_PHOTOGRAPHS, *OF_LOGS, *OF_FLIGHTS)
    elif is_log(args.flight):
        kind, unused = "a log", OF_PHOTOGRAPHS
    else:
        kind, unused = "a folder of photographs", OF_LOGS
    for name in unused:
        if getattr(args, name) not in (None, False):
            option = name.replace("_", "-")
            raise InputError(f"--{option}: {args.flight} is {kind}, which has no use for it")


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() == ".mcap"


def _replay_recording(args: argparse.Namespace) -> int:
    """Exit status 1 when anything differs."""
    pack, describer, runs = open_map(args)
    print(runs)
    outcome = replay(Recording(args.flight), pack, describer)
    print(f"  frames              {outcome.frames}")
    print(f"  messages equal      {outcome.same}")
    print(f"  messages different  {len(outcome.different)}")
    for difference in outcome.different[:MOST_SHOWN]:
        print(
            f"    message {difference.number}, {difference.name}: "
            f"was {difference.was.hex() or 'not sent'}, now {difference.now.hex() or 'not sent'}"
        )
    if outcome.ended:
        print(f"  {outcome.ended}")
    return 0 if outcome.is_exact else 1
