"""`pilotage calibrate flight`: mounting, focal length and delays from a flight with GNSS."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from onboard.camera import Camera
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.ground.height_above_terrain import height_above_terrain
from onboard.localize import Localizer
from onboard.messages import Event
from onboard.pack.map_pack import MapPack
from onboard.recording.reader import FrameStep, LostStep, Recording, SentStep, TickStep
from tools.calibrate.camera_file import write_camera_file
from tools.calibrate.flight_report import calibrated, findings, worth
from tools.calibrate.model import Model
from tools.calibrate.sightings import Seen, Watcher
from tools.calibrate.solve import Solution, solve
from tools.flight_inputs import (
    add_flight_arguments,
    open_flight_inputs,
    open_map,
    positive,
    refuse_wrong_map,
)
from tools.log_flight import add_log_arguments, open_log_flight
from tools.logs.open_log import is_log
from tools.photo_folder import MIN_HEIGHT_SIGMA_M, photo_events

HELP = (
    "Locates the frames of a flight around their GNSS positions and finds what of camera and "
    "clocks explains the differences: mounting angles, focal length, delays, where the map lies. "
    "Each with its uncertainty; what the flight can't tell is said and kept as given. Takes what "
    "replay takes: photographs, a log with pictures or video, an .mcap of Pilotage. Writes a "
    "camera file."
)
PASSES = 2  # the second one with the camera of the first: more frames are located
HEIGHT_SIGMA_SHARE = 0.03  # of the height, constant over a flight: barometer and take-off place
# The other kind of mounting is pointed out when it leaves this much less unexplained.
BETTER_SHARE = 0.8


@dataclass(frozen=True)
class _Flight:
    """events: a new run through the flight each time. located_again: whether frames can be made
    into views anew with another camera; a recording of Pilotage holds the views alone."""

    name: str
    camera: Camera
    pack: MapPack
    describer: Describer
    events: Callable[[], Iterable[Event]]
    located_again: bool
    notes: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("flight", type=Path, help="folder of photographs, log, or .mcap")
    add_flight_arguments(parser)
    add_log_arguments(parser)
    parser.add_argument(
        "--prior-sigma-m", type=positive, default=50.0, help="search around GNSS (default 50)"
    )
    parser.add_argument(
        "--height-sigma-m",
        type=positive,
        help="how far the heights may be off as a whole (default 3 %% of them, at least 3)",
    )
    parser.add_argument("--out", type=Path, default=Path("camera.toml"), help="camera file")


def run(args: argparse.Namespace) -> int:
    flight = _open(args)
    for note in flight.notes:
        print(note)
    given = found = flight.camera
    for _ in range(PASSES if flight.located_again else 1):
        localizer = Localizer(flight.pack, flight.describer, found)
        terrain = height_above_terrain(flight.pack)
        watcher = Watcher(localizer, found, given, args.prior_sigma_m, terrain)
        seen = watcher.watch(flight.events())
        try:
            solution = solve_flight(seen, given, args.height_sigma_m)
        except ValueError as e:
            raise InputError(
                f"{args.flight}: {e} ({_refusals(seen)}); give a longer flight over the map, or a "
                "camera file nearer to the truth"
            ) from e
        found = calibrated(given, solution)
    said = [_summary(seen, solution), *findings(given, found, solution)]
    said += _other_kind(seen, given, solution, args.height_sigma_m)
    print("\n".join(said))
    header = [f"pilotage calibrate flight: {flight.name} over {flight.pack.path.name}", *said]
    write_camera_file(args.out, found, header, worth(solution))
    print(f"camera file: {args.out}")
    return 0


def _open(args: argparse.Namespace) -> _Flight:
    name = args.flight.resolve().name
    if args.flight.suffix.lower() == ".mcap":
        return _open_recording(name, args)
    if is_log(args.flight):
        log = open_log_flight(args.flight, args, None)
        pack, describer, runs = open_map(args)

        def again() -> Iterable[Event]:
            return open_log_flight(args.flight, args, None).events

        return _Flight(name, log.camera, pack, describer, again, True, (runs, *log.notes))
    inputs = open_flight_inputs(args.flight, args)
    refuse_wrong_map(inputs)
    return _Flight(
        name,
        inputs.camera,
        inputs.pack,
        inputs.describer,
        lambda: photo_events(inputs.flight.photos, inputs.by_gimbal),
        True,
        inputs.notes,
    )


def _open_recording(name: str, args: argparse.Namespace) -> _Flight:
    if args.camera is not None:
        raise InputError(f"{args.flight}: holds the camera it was flown with; leave out --camera")
    recording = Recording(args.flight)
    pack, describer, runs = open_map(args)

    def steps() -> Iterator[Event]:
        for step in recording.steps():
            if isinstance(step, FrameStep) and step.step == "moved":
                yield step.frame
            elif not isinstance(step, FrameStep | SentStep | TickStep | LostStep):
                yield step

    return _Flight(name, recording.start.camera, pack, describer, steps, False, (runs,))


def solve_flight(seen: Seen, camera: Camera, height_sigma_m: float | None = None) -> Solution:
    """Raises ValueError when too few frames were located."""
    if not seen.sightings:
        raise ValueError("no frame was located")
    if height_sigma_m is None:
        middle_m = sorted(s.agl_m for s in seen.sightings)[len(seen.sightings) // 2]
        height_sigma_m = max(MIN_HEIGHT_SIGMA_M, HEIGHT_SIGMA_SHARE * middle_m)
    model = Model(seen, seen.sightings, camera)
    return solve(model, camera.attitude_delay_s, height_sigma_m)


def _summary(seen: Seen, solution: Solution) -> str:
    left_out = int(solution.outlier.sum())
    return (
        f"{len(seen.sightings)} of {seen.frames} frames located ({_refusals(seen)}), {left_out} "
        f"of them hardly counted as outliers; a frame scatters by {solution.frame_sigma_m:.1f} m"
    )


def _refusals(seen: Seen) -> str:
    parts = [f"{n} {reason.value}" for reason, n in seen.refused.most_common()]
    parts += [f"{seen.without_gnss} without a position"] if seen.without_gnss else []
    return ", ".join(parts) or "none refused"


def _other_kind(
    seen: Seen, camera: Camera, solution: Solution, height_sigma_m: float | None
) -> list[str]:
    """Whether the camera hangs the other way: fixed to the airframe, or held by a gimbal."""
    m = camera.mounting
    other = replace(camera, mounting=replace(m, stabilised=not m.stabilised))
    share = solve_flight(seen, other, height_sigma_m).frame_sigma_m / solution.frame_sigma_m
    if share > BETTER_SHARE:
        return []
    return [
        f"stabilised = {str(not m.stabilised).lower()} would explain the flight better: a frame "
        f"would scatter by {share * solution.frame_sigma_m:.1f} m; change it and calibrate again"
    ]
