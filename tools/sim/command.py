"""`pilotage sim`: scenarios in closed loop with our own autopilot double or ArduPilot's SITL."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from maps.progress import progress_s
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.model_bundle import load_bundle
from onboard.pack.found_pack import trust_of
from onboard.whole_file import make_folder
from tools.flight_inputs import add_public_key_argument
from tools.network_options import add_backend_arguments, chosen_backend
from tools.sim.area import Area, area_of
from tools.sim.dataflash_selection import handover_s, newest_log
from tools.sim.fly import Autopilot, fly
from tools.sim.judge import failures, figures_of
from tools.sim.outcome import summary_lines, write_outcome
from tools.sim.scenario import Scenario, load_scenario, shipped_scenarios

HELP = (
    "Flies scenarios (shipped ones by name, or TOML files; none: all shipped) in closed loop: the "
    "autopilot's true pose becomes camera frames, what Pilotage answers steers it. Alone it uses "
    "its own double of an autopilot; with --sitl a running ArduPilot SITL. Exit status 1 when "
    "one of them does not end as it should."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO")
    parser.add_argument("--list", action="store_true", help="name the shipped scenarios and stop")
    parser.add_argument("--out", type=Path, default=Path("sim-out"), help="default: sim-out")
    parser.add_argument(
        "--sitl", metavar="ADDRESS", help="SITL's first serial port, as tcp:127.0.0.1:5760"
    )
    parser.add_argument(
        "--sitl-pid",
        type=int,
        metavar="PID",
        help="SITL's process on this machine: it is held while a picture is rendered, so that "
        "it can run as fast as the machine allows",
    )
    parser.add_argument(
        "--sitl-logs",
        type=Path,
        metavar="FOLDER",
        help="SITL's own logs: says how soon it navigated by Pilotage",
    )
    parser.add_argument("--plane", action="store_true", help="the double is a plane")
    parser.add_argument(
        "--imagery", type=Path, nargs="+", help="fly over this, not the procedural world"
    )
    parser.add_argument("--dem", type=Path, help="terrain under the imagery (GeoTIFF)")
    parser.add_argument("--map", type=Path, help="the map pack to navigate by, with --imagery")
    add_public_key_argument(parser)
    parser.add_argument("--seed", type=int, help="instead of the scenario's")
    parser.add_argument("--seconds", type=float, help="instead of the scenario's")
    add_backend_arguments(parser)


def run(args: argparse.Namespace) -> int:
    if args.list:
        for name in shipped_scenarios():
            print(f"{name:<20} {load_scenario(name).title}")
        return 0
    names = args.scenarios or list(shipped_scenarios())
    scenarios = {Path(name).stem: _changed(load_scenario(name), args) for name in names}
    if (args.imagery is None) != (args.map is None):
        raise InputError("--imagery and --map go together; give both or neither")
    if args.map_public_key is not None and args.map is None:
        raise InputError("--map-public-key: give the --map that it vouches for")
    trust = trust_of(args.map_public_key)
    make_folder(args.out)
    describer = Describer(load_bundle(), backend=chosen_backend(args))
    area = area_of(args.out, args.imagery, args.dem, args.map, describer, print, trust)
    failed = [
        name
        for name, scenario in scenarios.items()
        if not _fly_one(args.out / name, scenario, area, describer, args)
    ]
    if len(scenarios) > 1:
        print(f"{len(scenarios) - len(failed)} of {len(scenarios)} scenarios ended as they should")
    return 1 if failed else 0


def _changed(scenario: Scenario, args: argparse.Namespace) -> Scenario:
    try:
        if args.seed is not None:
            scenario = replace(scenario, seed=args.seed)
        if args.seconds is not None:
            scenario = replace(scenario, seconds=args.seconds)
    except ValueError as e:
        raise InputError(f"--seconds: {e}") from e
    return scenario


def _fly_one(
    out: Path, scenario: Scenario, area: Area, describer: Describer, args: argparse.Namespace
) -> bool:
    make_folder(out)
    begin = time.monotonic()
    with ExitStack() as stack:
        bar = stack.enter_context(
            tqdm(total=round(scenario.seconds), unit="s", desc=out.name, mininterval=progress_s())
        )
        autopilot = Autopilot(args.sitl, args.sitl_pid, args.plane)
        flown = fly(scenario, area, describer, autopilot, out, _shows(bar))
    flown.wall_s = time.monotonic() - begin
    figures = figures_of(scenario, flown)
    wrong = failures(scenario, flown, figures)
    report = write_outcome(out, scenario, flown, figures, wrong, area.pack, (area.said,))
    print(f"{out.name}: {scenario.title}: {'FAILED' if wrong else 'passed'}")
    lines = summary_lines(figures)
    if args.sitl_logs is not None and scenario.faults:
        loss_ns = flown.start_ns + round(scenario.first_fault_s * 1e9)
        after_s = handover_s(newest_log(args.sitl_logs), loss_ns)
        told = "never" if after_s is None else f"{after_s:.2f} s after the first fault"
        lines.append(("the autopilot navigated by Pilotage", told))
    width = max(len(what) for what, _ in lines)
    for what, figure in lines:
        print(f"  {what:<{width}}  {figure}")
    for sentence in wrong:
        print(f"  not as expected: {sentence}")
    print(f"  report: {report}")
    return not wrong


def _shows(bar: tqdm) -> Callable[[float], None]:
    def show(at_s: float) -> None:
        bar.update(max(0, min(int(at_s), bar.total) - bar.n))

    return show
