"""`pilotage`: finds the command's module, loads only that one, and turns errors into sentences.

A command's module has `HELP`, `add_arguments(parser)` and `run(args) -> int`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import select
import sys
from collections.abc import Sequence
from typing import NoReturn

from onboard.errors import BackendError, InputError

COMMANDS = {
    "run": "tools.run",
    "service": "tools.service",
    "recording recover": "tools.recording_recover",
    "bench flight": "tools.flight_bench",
    "map build": "tools.map.build",
    "map cut": "tools.map.cut",
    "map estimate": "tools.map.estimate",
    "map inspect": "tools.map.inspect",
    "map key": "tools.map.key",
    "map sign": "tools.map.sign",
    "map verify": "tools.map.verify",
    "map check": "tools.map.check",
    "replay": "tools.replay",
    "evaluate": "tools.evaluate",
    "integrity": "tools.integrity",
    "stanford": "tools.stanford_report",
    "terrain-study": "tools.terrain_study",
    "calibrate board": "tools.calibrate.board",
    "calibrate flight": "tools.calibrate.flight",
    "demo": "tools.demo",
    "sim": "tools.sim.command",
    "doctor": "tools.doctor.command",
    "train": "tools.train",
    "validate": "tools.validate",
    "pointcloud": "tools.pointcloud",
    "ablation": "tools.ablation",
    "benchmark": "tools.benchmark",
    "weather": "tools.weather_sheet",
    "export onnx": "tools.export_onnx",
    "export engine": "tools.export_engine",
    "export gpu-check": "tools.export_gpu_check",
    "export parity": "tools.export_parity",
    "export quantize": "tools.export_quantize",
    "export bench": "tools.export_bench",
}
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_UNREAD = 141  # as of a program that SIGPIPE ended
EXTRA_OF_PACKAGE = {
    "cv2": "opencv",
    "rasterio": "maps",
    "shapely": "maps",
    "fsspec": "maps",
    "distributed": "cluster",
    "dask": "cluster",
    "cryptography": "signing",
    "defusedxml": "tools",
    "PIL": "tools",
    "tqdm": "tools",
    "torch": "export",
    "onnx": "export",
    "onnxscript": "export",
    "matplotlib": "export",
    "pycolmap": "survey",
    "pyulog": "tools",
}


class _Parser(argparse.ArgumentParser):
    """One sentence where argparse would print its usage, too."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; '{self.prog} --help' tells more")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 good, 1 judged not good, 2 bad input."""
    try:
        try:
            return _run(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if not _unread():
            raise
        # What is still in Python's buffer would be written at exit, and fail aloud.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNREAD


def _run(argv: Sequence[str]) -> int:
    name = next((c for c in (" ".join(argv[:2]), *argv[:1]) if c in COMMANDS), None)
    if name is None:
        return _no_such_command(argv)
    try:
        module = importlib.import_module(COMMANDS[name])
        parser = _Parser(prog=f"pilotage {name}", description=module.HELP)
        module.add_arguments(parser)
        return int(module.run(parser.parse_args(argv[len(name.split()) :])))
    except (InputError, BackendError) as e:
        print(f"pilotage {name}: {e}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except ModuleNotFoundError as e:
        extra = EXTRA_OF_PACKAGE.get((e.name or "").split(".")[0])
        if extra is None:
            raise
        print(
            f"pilotage {name}: the package '{e.name}' is not installed; "
            f"in Pilotage's folder: pip install -e '.[{extra}]'",
            file=sys.stderr,
        )
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print(f"pilotage {name}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _unread() -> bool:
    """Whether nobody reads what is printed any more, as behind `| head`."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _no_such_command(argv: Sequence[str]) -> int:
    words = [word for word in argv if word not in ("-h", "--help", "help")]
    listed = [c for c in COMMANDS if not words or c.split()[0] == words[0]]
    if words and (len(words) > 1 or not listed):
        known = ", ".join(listed or COMMANDS)
        print(f"pilotage: no command '{' '.join(words[:2])}'; known are {known}", file=sys.stderr)
        return EXIT_BAD_INPUT
    print("usage: pilotage COMMAND ...   (pilotage COMMAND --help tells more)\n")
    for name in listed:
        print(f"  pilotage {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
