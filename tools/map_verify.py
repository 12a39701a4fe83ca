"""`pilotage map verify`: is a pack whole, and does its index find what it should."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.verify import NEAREST, RECALL_GOAL, index_recall
from onboard.map_pack import MapPack

HELP = (
    "Checks a map pack: the hash of every file, and the index against an exact search on "
    f"random tiles (recall@{NEAREST} of at least {RECALL_GOAL}, or exit status 1)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, help="the pack's folder")


def run(args: argparse.Namespace) -> int:
    pack = MapPack.open(args.pack)
    print(f"{args.pack}: {len(pack.manifest.files)} files are as the manifest says")
    status = 0
    for level in index_recall(pack):
        enough = level.recall >= RECALL_GOAL
        print(
            f"level {level.level}: recall@{NEAREST} {level.recall:.4f} on {level.queried} of "
            f"{level.tiles} tiles" + ("" if enough else f", below {RECALL_GOAL}")
        )
        status = status if enough else 1
    if status:
        print("the index misses tiles that an exact search finds; build the pack again")
    return status
