"""`pilotage stanford`: one Stanford diagram over any number of evaluations and studies."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.whole_file import write_whole
from tools.stanford import Bounded, integrity, stanford_svg

HELP = (
    "Reads the output folders of evaluate (results.json) and of integrity (frames.jsonl, "
    "flights.jsonl) and draws the error of every position against its protection level, of all "
    "of them together; counts misleading ones by folder and in all."
)
EVALUATED, CASES = "results.json", ("frames.jsonl", "flights.jsonl")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", type=Path, nargs="+", help="outputs of evaluate and integrity")
    parser.add_argument("--out", type=Path, default=Path("stanford.svg"), help="the diagram")


def run(args: argparse.Namespace) -> int:
    everything: list[Bounded] = []
    for folder in args.folders:
        points = points_of(folder)
        print(f"{folder}: {integrity(points)}")
        everything += points
    write_whole(args.out, stanford_svg(everything, f"{len(args.folders)} runs"))
    print(f"all: {integrity(everything)}\n{args.out}")
    return 0


def points_of(folder: Path) -> list[Bounded]:
    """Raises InputError: nothing of the kind in the folder, or damaged."""
    points: list[Bounded] = []
    found = [name for name in (EVALUATED, *CASES) if (folder / name).is_file()]
    for name in found:
        try:
            text = (folder / name).read_text(encoding="utf-8")
            points += _evaluated(text) if name == EVALUATED else _cases(text)
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            raise InputError(f"{folder / name}: damaged ({e}); run its command again") from e
    if not found:
        raise InputError(f"{folder}: holds no {EVALUATED}, {', '.join(CASES)}; give such a folder")
    return points


def _evaluated(text: str) -> list[Bounded]:
    pairs = json.loads(text)["error_protection_m"]
    return [Bounded(float(error), float(protection)) for error, protection in pairs]


def _cases(text: str) -> list[Bounded]:
    """A line that a kill cut short is left out; the command that wrote it goes on there."""
    _, *lines = text.split("\n")
    rows: list[dict[str, Any]] = [r for line in lines[:-1] for r in json.loads(line)["rows"]]
    return [
        Bounded(r["error_m"], r["protection_m"]) for r in rows if r.get("protection_m") is not None
    ]
