"""`pilotage map verify`: is a pack whole, and does its index find what it should."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.verify import NEAREST, RECALL_GOAL, index_recall
from onboard.pack.found_pack import find_pack, trust_of
from onboard.pack.map_pack import MapPack
from tools.flight_inputs import add_public_key_argument

HELP = (
    "Checks a map pack: who signed it, the hash of every file, and the index against an exact "
    f"search on random tiles (recall@{NEAREST} of at least {RECALL_GOAL}, or exit status 1)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, help="the pack's folder")
    add_public_key_argument(parser)


def run(args: argparse.Namespace) -> int:
    found = find_pack(args.pack, trust_of(args.map_public_key))
    pack = MapPack.of_manifest(found.path, found.manifest)
    print(f"{args.pack}: {len(pack.manifest.files)} files are as the manifest says")
    print(f"signature: {found.said}")
    for note in pack.index_notes():
        print(note)
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
