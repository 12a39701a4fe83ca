"""`pilotage map inspect`: what is in a pack."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import cv2

from onboard.errors import InputError
from onboard.geodesy import pixel_size_m
from onboard.messages import TILE_PX
from onboard.pack.found_pack import FoundPack, find_pack, trust_of
from onboard.pack.map_pack import MapPack
from onboard.whole_file import write_whole
from tools.flight_inputs import add_public_key_argument
from tools.overview import make_overview

HELP = "Says what is in a map pack, and draws it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pack", type=Path, help="the pack's folder")
    parser.add_argument("--json", action="store_true", help="say it as JSON")
    add_public_key_argument(parser)
    parser.add_argument("--overview", type=Path, help="write a picture of the map here (.png)")


def run(args: argparse.Namespace) -> int:
    found = find_pack(args.pack, trust_of(args.map_public_key))
    pack = MapPack.of_manifest(found.path, found.manifest)
    if args.json:
        print(json.dumps(pack_table(pack, found), indent=1, ensure_ascii=False))
    else:
        for line in describe_pack(pack, found):
            print(line)
    if args.overview is not None:
        write_overview(pack, args.overview)
        if not args.json:
            print(f"overview    {args.overview}")
    return 0


def describe_pack(pack: MapPack, found: FoundPack) -> list[str]:
    """One line a fact."""
    manifest = pack.manifest
    south, west, north, east = pack.bounds
    area_km2 = pack.imagery_area_m2() / 1e6
    lines = [
        f"name        {manifest.name}",
        f"signature   {found.said}",
        f"bounds      {south:.6f} {west:.6f} to {north:.6f} {east:.6f} (south west, north east)",
        f"imagery     {area_km2:.3f} km2 in tiles, some partly blank",
        f"size        {manifest.size_bytes() / 1e6:.1f} MB"
        + (f", {manifest.size_bytes() / area_km2:,.0f} bytes/km2" if area_km2 else ""),
        f"model       {manifest.model.id} ({manifest.model.sha256[:12]}), "
        f"{manifest.model.descriptor_dim} numbers a tile",
    ]
    for level in pack.levels:
        lines.append(
            f"level {level:<6}{manifest.tile_count(level)} tiles of "
            f"{_ground_m(pack, level) * TILE_PX:.0f} m, {_ground_m(pack, level):.3f} m/px"
        )
    for source in manifest.imagery:
        lines.append(
            f"source      {source.name}: date {source.date}, licence {source.licence}, "
            f"attribution {source.attribution}"
            + ("" if source.sigma_m is None else f", sigma {source.sigma_m:g} m")
        )
    lines.append(f"map error   {manifest.map_error_said}")
    terrain = manifest.terrain
    if terrain is None:
        lines.append("terrain     none")
    else:
        lines.append(
            f"terrain     {terrain.name}: date {terrain.date}, licence {terrain.licence}, "
            f"attribution {terrain.attribution}, datum {terrain.datum}, level {terrain.level}, "
            f"sigma {terrain.sigma_m:g} m"
        )
    return lines


def pack_table(pack: MapPack, found: FoundPack) -> dict[str, Any]:
    """The same for programs; units are in the names."""
    manifest = pack.manifest
    return {
        "name": manifest.name,
        "manifest_sha256": found.manifest_sha256,
        "signature": found.signature and dataclasses.asdict(found.signature.signed),
        "trusted": found.trusted,
        "signature_said": found.said,
        "bounds_deg": dataclasses.asdict(manifest.bounds),
        "imagery_km2": round(pack.imagery_area_m2() / 1e6, 6),
        "size_bytes": manifest.size_bytes(),
        "files": len(manifest.files),
        "model": dataclasses.asdict(manifest.model),
        "levels": [
            {
                "level": level,
                "tiles": manifest.tile_count(level),
                "m_per_px": round(_ground_m(pack, level), 6),
            }
            for level in pack.levels
        ],
        "imagery": [dataclasses.asdict(source) for source in manifest.imagery],
        "map_sigma_m": manifest.map_sigma_m,
        "map_error_said": manifest.map_error_said,
        "terrain": None if manifest.terrain is None else dataclasses.asdict(manifest.terrain),
    }


def _ground_m(pack: MapPack, level: int) -> float:
    return float(pixel_size_m(pack.centre[0], level)[0])


def write_overview(pack: MapPack, path: Path) -> None:
    """A PNG that appears whole or not at all. Raises InputError."""
    if path.suffix.lower() != ".png":
        raise InputError(f"--overview {path}: must end in .png")
    _, data = cv2.imencode(".png", make_overview(pack, ()).picture)
    write_whole(path, bytes(data))
