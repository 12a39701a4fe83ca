"""`pilotage demo`: a procedural world, its map, a flight over it at another season, a report."""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

from tqdm import tqdm

from maps.progress import progress_s
from maps.world.landscape import Landscape
from onboard.autopilot.link import MavlinkLink
from onboard.camera import Camera
from onboard.companion import Companion
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.loop import Navigator
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.publish import Publisher
from onboard.whole_file import make_folder
from tools.gps_input_listener import GpsInputListener, Received
from tools.procedural_area import DATUM_M, FLIGHT_EPOCH, SEED, make_area
from tools.received_summary import received_rows, trusted_after
from tools.replay_driver import Driven, drive, run_record
from tools.report import write_report
from tools.report_data import summary_rows
from tools.run_record import RunRecord
from tools.scores import total
from tools.simulated_flight import SimulatedFlight
from tools.simulated_vehicle import fly

HELP = (
    "Shows everything at work without any data: builds a procedural world, makes a map pack of "
    "it, flies over it in another season with a simulated camera, takes GNSS away on the way, "
    "sends GPS_INPUT over UDP to a listener that decodes it, and writes a report. It proves "
    "that the parts fit together; how accurate they are only real pictures tell."
)

MAP_LEVELS = (17,)  # 0.81 m/px here: a view of 208 m, about what the camera sees
CAMERA = Camera(640, 480, horizontal_fov_deg=74.0, distortion=(-0.09, 0.02, 0.0005, -0.0003, 0.0))
ALTITUDE_M = 165.0  # above the lowest ground
ROUTE_M = ((250.0, 350.0), (1250.0, 300.0), (1330.0, 1000.0), (700.0, 1330.0), (280.0, 900.0))
DEFAULT_SECONDS = 90.0
MIN_SECONDS, MAX_SECONDS = 10.0, 3600.0
GNSS_LOST_SHARE = 0.4  # of the flight
START_NS = 10_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="default: demo-out")
    parser.add_argument(
        "--seconds", type=float, default=DEFAULT_SECONDS, help="length of the flight"
    )


def run(args: argparse.Namespace) -> int:
    if not MIN_SECONDS <= args.seconds <= MAX_SECONDS:
        raise InputError(
            f"--seconds {args.seconds}: give {MIN_SECONDS:.0f} to {MAX_SECONDS:.0f} seconds"
        )
    begin = time.monotonic()
    make_folder(args.out)
    describer = Describer(load_bundle())
    area = make_area(args.out, describer, MAP_LEVELS, lambda text: _say(begin, text))
    pack = area.pack
    flight = _plan_flight(area.landscape, args.seconds)
    _say(begin, f"flying {args.seconds:.0f} s; GNSS goes after {_gnss_s(flight):.0f} s")
    navigator = Navigator(pack, describer, CAMERA)
    with GpsInputListener() as listener:
        driven = _fly(flight, navigator, pack, listener.address)
    record = run_record(
        "Demo flight over the procedural world",
        driven,
        flight.truth(),
        gnss_lost_ns=flight.gnss_lost_ns,
        messages_sent=len(driven.ticks),
        notes=("Simulated: it shows that the parts fit together, not how accurate they are.",),
    )
    report = write_report(args.out, record, pack)
    _print_figures(record, listener.received)
    _say(begin, f"report: {report}")
    complaint = _complaint(record, listener.received, flight.gnss_lost_ns)
    if complaint:
        print(f"pilotage demo: {complaint}")
    return 1 if complaint else 0


def _print_figures(record: RunRecord, received: Received) -> None:
    rows = summary_rows(record)
    refusals = total("", record.scores).refusals
    rows += [(f"refused: {reason}", f"{count}") for reason, count in refusals.items()]
    rows += received_rows(received, record)
    width = max(len(what) for what, _ in rows)
    print()
    for what, figure in rows:
        print(f"  {what:<{width}}  {figure}")
    print()


def _complaint(record: RunRecord, received: Received, gnss_lost_ns: int) -> str | None:
    """What an autopilot's user would not accept; None when all is well."""
    arrived = len(received.positions)
    if received.lost or received.bad or arrived != record.messages_sent:
        return f"{record.messages_sent} positions were sent, {arrived} arrived"
    if not trusted_after(received, gnss_lost_ns):
        return "no trusted position arrived after GNSS was lost"
    return None


def _gnss_s(flight: SimulatedFlight) -> float:
    return (flight.gnss_lost_ns - START_NS) * 1e-9


def _plan_flight(landscape: Landscape, seconds: float) -> SimulatedFlight:
    return SimulatedFlight(
        landscape=landscape,
        epoch=FLIGHT_EPOCH,
        camera=CAMERA,
        trajectory=fly(ROUTE_M, seconds, START_NS, seed=SEED),
        altitude_m=ALTITUDE_M,
        datum_m=DATUM_M,
        gnss_lost_ns=START_NS + math.floor(seconds * GNSS_LOST_SHARE) * 1_000_000_000,
        seed=SEED,
    )


def _fly(flight: SimulatedFlight, navigator: Navigator, pack: MapPack, address: str) -> Driven:
    link = MavlinkLink.to(address)
    try:
        with tqdm(
            total=len(flight.frame_times()), desc="flight", unit="frame", mininterval=progress_s()
        ) as bar:
            return drive(
                flight.events(),
                Companion(navigator, (Publisher(link),)),
                pack,
                on_frame=lambda _: bar.update(1),
            )
    finally:
        link.close()


def _say(begin: float, text: str) -> None:
    print(f"[{time.monotonic() - begin:5.1f} s] {text}", flush=True)
