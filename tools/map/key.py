"""`pilotage map key new`: a pair of keys to sign map packs with."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.signing import make_key

HELP = (
    "Makes a pair of Ed25519 keys (PEM). The private one signs packs ('pilotage map sign') and "
    "stays with you; the public one goes to the aircraft (setting map_public_key, a PEM file "
    "that may hold several keys one after another)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", choices=["new"])
    parser.add_argument(
        "place", type=Path, help="a folder (private.pem and public.pem in it), or NAME.pem"
    )


def run(args: argparse.Namespace) -> int:
    private, public, name = make_key(args.place)
    print(f"private key  {private} (keep it, and keep it to yourself)")
    print(f"public key   {public} (for the aircraft), id {name}")
    return 0
