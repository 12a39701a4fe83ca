"""`pilotage map inspect`: what is in a pack."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2

from onboard.errors import InputError
from onboard.geodesy import pixel_size_m
from onboard.map_pack import MapPack
from onboard.messages import TILE_PX
from onboard.whole_file import write_whole
from tools.overview import make_overview

HELP = "Says what is in a map pack, and draws it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, help="the pack's folder")
    parser.add_argument("--overview", type=Path, help="write a picture of the map here (.png)")


def run(args: argparse.Namespace) -> int:
    pack = MapPack.open(args.pack)
    for line in describe_pack(pack):
        print(line)
    if args.overview is not None:
        write_overview(pack, args.overview)
        print(f"overview    {args.overview}")
    return 0


def describe_pack(pack: MapPack) -> list[str]:
    """One line a fact."""
    manifest = pack.manifest
    south, west, north, east = pack.bounds
    area_km2 = pack.imagery_area_m2() / 1e6
    lines = [
        f"bounds      {south:.6f} {west:.6f} to {north:.6f} {east:.6f} (south west, north east)",
        f"imagery     {area_km2:.3f} km2 in tiles, some partly blank",
        f"size        {manifest.size_bytes() / 1e6:.1f} MB, "
        f"{manifest.size_bytes() / area_km2:,.0f} bytes/km2",
        f"model       {manifest.model.id} ({manifest.model.sha256[:12]}), "
        f"{manifest.model.descriptor_dim} numbers a tile",
    ]
    for level in pack.levels:
        ground_m, _ = pixel_size_m(pack.centre[0], level)
        lines.append(
            f"level {level:<6}{manifest.tile_count(level)} tiles of "
            f"{ground_m * TILE_PX:.0f} m, {ground_m:.3f} m/px"
        )
    for source in manifest.imagery:
        lines.append(
            f"source      {source.name}: date {source.date}, licence {source.licence}, "
            f"attribution {source.attribution}"
        )
    return lines


def write_overview(pack: MapPack, path: Path) -> None:
    """A PNG that appears whole or not at all. Raises InputError."""
    if path.suffix.lower() != ".png":
        raise InputError(f"--overview {path}: must end in .png")
    _, data = cv2.imencode(".png", make_overview(pack, ()).picture)
    write_whole(path, bytes(data))
