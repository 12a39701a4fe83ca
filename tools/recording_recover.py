"""`pilotage recording recover`: a whole recording of one that a crash cut short."""

from __future__ import annotations

import argparse
from pathlib import Path

from onboard.recording.recover import recover

HELP = (
    "Copies what is whole of a recording that was cut short by a crash or a full disk into a new "
    "file with an index, for Foxglove to open. ('pilotage replay' reads the cut one, too.)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recording", type=Path, help="MCAP file")
    parser.add_argument("--out", type=Path, help="default: RECORDING with .recovered.mcap")


def run(args: argparse.Namespace) -> int:
    out: Path = args.out or args.recording.with_suffix(".recovered.mcap")
    saved = recover(args.recording, out)
    print(f"{out}: {saved.messages} messages, {saved.seconds:.1f} s")
    if saved.whole.cut_at is None and not saved.whole.damaged:
        print("the recording was whole")
    elif saved.whole.cut_at is not None:
        size = args.recording.stat().st_size
        print(f"cut short at byte {saved.whole.cut_at} of {size}")
    if saved.whole.damaged:
        print(f"{saved.whole.damaged} damaged parts were left out")
    return 0
