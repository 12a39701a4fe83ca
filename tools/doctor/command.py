"""`pilotage doctor`: everything that can be looked at before a flight, and what mends it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from onboard.autopilot.parameters import ParameterState
from tools.doctor import (
    camera_checks,
    gpu_checks,
    link_checks,
    machine_checks,
    map_checks,
    model_checks,
    parameter_checks,
    python_checks,
    settings_checks,
)
from tools.doctor.apply_parameters import apply_parameters
from tools.doctor.check import Check
from tools.doctor.report import as_json, as_text
from tools.doctor.run_checks import passed, run_checks
from tools.doctor.subject import Subject

HELP = (
    "Looks at this machine and, given a flight's settings file, at its map, model, camera, link "
    "and the autopilot's parameters; says for each what is wrong and what mends it. Exit status "
    "1 when something keeps from flying."
)
CHECKS: tuple[Check, ...] = (
    *python_checks.CHECKS,
    *machine_checks.CHECKS,
    *gpu_checks.CHECKS,
    *settings_checks.CHECKS,
    *model_checks.CHECKS,
    *map_checks.CHECKS,
    *camera_checks.CHECKS,
)
LINK_CHECKS: tuple[Check, ...] = (*link_checks.CHECKS, *parameter_checks.CHECKS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("flight", type=Path, nargs="?", help="settings file of the flight")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--link", metavar="ADDRESS", help="the autopilot's, before the settings'")
    parser.add_argument(
        "--apply",
        action="store_true",
        help="write the parameters that differ, if the vehicle is disarmed; nothing else",
    )
    parser.add_argument("--agl-m", type=float, metavar="M", help="flight height above ground")


def run(args: argparse.Namespace) -> int:
    subject = Subject(args.flight, args.link, args.agl_m)
    try:
        applied = apply_parameters(subject) if args.apply else []
        began_s = time.monotonic()
        results = run_checks(wanted_checks(subject), subject)
        seconds = time.monotonic() - began_s
    finally:
        subject.close()
    if args.json:
        print(as_json(results, seconds, applied))
    else:
        print(as_text(results, seconds, applied, colour=sys.stdout.isatty()))
    written = all(a.state is ParameterState.WRITTEN for a in applied)
    return 0 if passed(results) and written else 1


def wanted_checks(subject: Subject) -> list[Check]:
    """Without a settings file those of the machine, and with a link's address those of it."""
    checks = [c for c in CHECKS if subject.settings_path is not None or not c.of_flight]
    return [*checks, *LINK_CHECKS] if subject.has_link else checks
