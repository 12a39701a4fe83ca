"""`pilotage doctor`: everything that can be looked at before a flight, and what mends it."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import time
from pathlib import Path

from tools.doctor.check import Check, Finding, failure
from tools.doctor.report import as_json, as_text
from tools.doctor.run_checks import passed, run_checks
from tools.doctor.subject import Subject

HELP = (
    "Looks at this machine and, given a flight's settings file, at its map, model, camera, link "
    "and the autopilot's parameters; says for each what is wrong and what mends it. Exit status "
    "1 when something keeps from flying."
)
GROUPS = ("python", "machine", "gpu", "settings", "model", "map", "camera")  # each a file
LINK_GROUPS = ("link", "parameter")


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
        applied = []
        if args.apply:
            from tools.doctor.apply_parameters import apply_parameters

            applied = apply_parameters(subject)
        began_s = time.monotonic()
        with contextlib.redirect_stdout(sys.stderr):  # OpenCV prints when it can't be imported
            results = run_checks(wanted_checks(subject), subject)
        seconds = time.monotonic() - began_s
    finally:
        subject.close()
    if args.json:
        print(as_json(results, seconds, applied))
    else:
        print(as_text(results, seconds, applied, colour=sys.stdout.isatty()))
    written = all(a.state.value == "written" for a in applied)
    return 0 if passed(results) and written else 1


def wanted_checks(subject: Subject) -> list[Check]:
    """Without a settings file those of the machine, and with a link's address those of it."""
    checks = [check for group in GROUPS for check in checks_of(group)]
    if subject.settings_path is None:
        checks = [check for check in checks if not check.of_flight]
    if subject.has_link:
        checks += [check for group in LINK_GROUPS for check in checks_of(group)]
    return checks


def checks_of(group: str) -> tuple[Check, ...]:
    """A group that can't be loaded, for want of a package, is one failed check."""
    try:
        module = importlib.import_module(f"tools.doctor.{group}_checks")
    except ImportError as e:
        finding = failure(f"can't be looked at: {e}", "pip install -e '.[opencv]'")

        def not_loaded(_: Subject) -> Finding:
            return finding

        return (Check(f"{group}.checks", not_loaded),)
    checks: tuple[Check, ...] = module.CHECKS
    return checks
