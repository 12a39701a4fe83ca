"""`pilotage map sign`: vouches for a pack."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.signing import read_private_key, sign_pack

HELP = (
    "Signs a map pack with a private key, after checking every file of it. An aircraft that was "
    "given the public key takes no other pack, none that was changed since, none that has expired, "
    "and none with a lower serial than the newest it took of the same name."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, help="the pack's folder")
    parser.add_argument("--key", type=Path, required=True, help="private key (PEM)")
    parser.add_argument("--expires", metavar="YYYY-MM-DD", help="last day (UTC) it may be flown")
    parser.add_argument(
        "--serial", type=int, help="must grow (default: the UTC clock in seconds, or one more)"
    )


def run(args: argparse.Namespace) -> int:
    signed = sign_pack(args.pack, read_private_key(args.key), args.expires, args.serial)
    until = f"until {signed.expires}" if signed.expires else "without end"
    print(f"{args.pack}: '{signed.pack}' signed by key {signed.key_id}, serial {signed.serial}")
    print(f'counts {until}; on the aircraft: map_public_key = "the public key\'s file"')
    return 0
