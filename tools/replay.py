"""`pilotage replay`: a folder of photographs through the navigator, in time order."""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

from tqdm import tqdm

from onboard.autopilot.link import MavlinkLink
from onboard.companion import Companion
from onboard.loop import Navigator
from onboard.publish import Publisher
from onboard.whole_file import make_folder
from tools.flight_inputs import add_flight_arguments, open_flight_inputs, refuse_wrong_map
from tools.photo_folder import photo_events
from tools.replay_driver import drive, run_record
from tools.report import write_report
from tools.report_data import summary_rows
from tools.truth import read_reference, recorded_track

HELP = (
    "Flies a folder of photographs (EXIF and XMP, or a CSV of poses) through the navigator and "
    "writes a report, fixes.csv and fixes.geojson. With --mavlink it also sends GPS_INPUT at "
    "10 Hz of the recording's time."
)
MAX_SECONDS = 86_400.0
_UNITS_S = {"s": 1.0, "min": 60.0, "": 1.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("photos", type=Path, help="folder of photographs")
    add_flight_arguments(parser)
    parser.add_argument("--mavlink", help="where to send: udpout:127.0.0.1:14550, /dev/ttyUSB0")
    parser.add_argument(
        "--gnss-lost-after",
        type=duration_s,
        metavar="TIME",
        help="take the receiver away after this time, as 20s or 2min (0s: never had one)",
    )
    parser.add_argument("--pace", choices=("recorded", "fast"), default="fast")
    parser.add_argument("--report", type=Path, default=Path("replay-out"), help="output folder")


def run(args: argparse.Namespace) -> int:
    inputs = open_flight_inputs(args.photos, args)
    make_folder(args.report)
    for note in inputs.notes:
        print(note)
    photos = inputs.flight.photos
    lost_ns = None
    if args.gnss_lost_after is not None:
        lost_ns = photos[0].time_ns + round(args.gnss_lost_after * 1e9)
    navigator = Navigator(inputs.pack, inputs.describer, inputs.camera)
    link = MavlinkLink.to(args.mavlink) if args.mavlink else None
    parts = (Publisher(link, utc_minus_clock_ns=0),) if link else ()
    events = photo_events(photos, inputs.by_gimbal, lost_ns)
    try:
        with tqdm(total=len(photos), unit="photo", smoothing=0) as bar:
            driven = drive(
                events,
                Companion(navigator, parts),
                inputs.pack,
                recorded_pace=args.pace == "recorded",
                on_frame=lambda _: bar.update(),
            )
    finally:
        if link:
            link.close()
    record = run_record(
        f"Replay of {args.photos.resolve().name}",
        driven,
        recorded_track(photos),
        read_reference(args.photos),
        lost_ns,
        inputs.notes,
        messages_sent=len(driven.ticks) if link else 0,
    )
    path = write_report(args.report, record, inputs.pack)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = [*summary_rows(record), ("peak resident memory", f"{peak_mb:.0f} MB")]
    width = max(len(what) for what, _ in rows)
    for what, figure in rows:
        print(f"  {what:<{width}}  {figure}")
    print(f"report: {path}")
    refuse_wrong_map(inputs)
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
