"""Runs the double by itself, for a ground station or a companion to connect to."""

from __future__ import annotations

import argparse
import sys
import time

from onboard.errors import InputError
from tools.sim.double import Double


def main() -> int:
    """`python -m tools.sim.double --help`. Returns the process's exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.sim.double",
        description="A test double of ArduPilot: MAVLink on three TCP ports, until Ctrl-C.",
    )
    parser.add_argument("--port", type=int, default=5760, help="of SERIAL0; SERIAL1 is 2 above")
    parser.add_argument("--speedup", type=float, default=1.0, help="times real time")
    parser.add_argument("--plane", action="store_true", help="a plane instead of a copter")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    parameters = {"SIM_SPEEDUP": args.speedup, "GPS2_TYPE": 14.0}
    try:
        with Double(args.plane, None, parameters, args.seed, args.port) as double:
            print("\n".join(double.addresses))
            double.start()
            while True:
                time.sleep(1.0)
    except InputError as e:
        print(e, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    raise SystemExit(main())
