"""`pilotage run`: flies."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

HELP = (
    "Flies: takes frames from the camera, finds them in the map, and tells the autopilot where it "
    "is, as the settings file says. Ends on Ctrl-C or SIGTERM; exit status 1 when something failed "
    "in flight, so that systemd starts it anew ('pilotage service' prints a unit)."
)
EXIT_FAILED = 1
SWITCH_S = 0.001  # how long a busy thread may keep the publisher's waiting; Python's own is 5 ms


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("flight", type=Path, help="settings file (TOML)")
    parser.add_argument("--web", metavar="HOST:PORT", help="status page (default: [web] address)")


def run(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from onboard.flight_settings import WebSettings
    from onboard.runtime.open_flight import open_flight, read_flight_settings

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    sys.setswitchinterval(SWITCH_S)
    settings = read_flight_settings(args.flight)
    if args.web:
        settings = replace(settings, web=WebSettings(args.web))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    opened = open_flight(settings)
    with opened.close:
        _say(opened.said)
        failure = opened.live.run(stop)
    if failure:
        print(f"pilotage run: {failure}", file=sys.stderr, flush=True)
        os._exit(EXIT_FAILED)  # a thread that hangs must not keep the process
    return 0


def _say(sentences: Sequence[str]) -> None:
    """A reader that has gone away (`| head`, a closed terminal) does not keep from flying."""
    try:
        for sentence in sentences:
            print(sentence, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
