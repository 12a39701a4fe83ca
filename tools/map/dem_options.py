"""The options that name elevation models, for every command that takes some."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.terrain import DemSaid

DEM_FACTS: dict[str, tuple[type, str]] = {
    "--dem-datum": (
        str,
        "what its heights count from, where neither it nor its name says so: egm96, egm2008, "
        "navd88, ellipsoid, EPSG:number",
    ),
    "--dem-offset-m": (
        float,
        "subtracted from heights above the ellipsoid to get those above mean sea level: the "
        "geoid's height above the ellipsoid; 0 for a model that counts from elsewhere",
    ),
    "--dem-sigma-m": (float, "error of its heights, 1 sigma (default: the product's)"),
    "--dem-unit": (str, "of its heights: m, ft or us-ft (default: the file's)"),
    "--dem-date": (str, "when it was made"),
    "--dem-licence": (str, "its licence (default: the product's)"),
    "--dem-attribution": (str, "whom to credit (default: the product's)"),
}


def add_dem_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("terrain (each option once for all --dem, or once for each)")
    group.add_argument(
        "--dem",
        action="append",
        default=[],
        type=Path,
        help="elevation model: GeoTIFF, SRTM .hgt, Copernicus GLO-30, or a folder of such tiles; "
        "later ones on top",
    )
    for option, (kind, meaning) in DEM_FACTS.items():
        group.add_argument(option, action="append", default=[], type=kind, help=meaning)


def chosen_dems(args: argparse.Namespace) -> tuple[tuple[Path, ...], DemSaid]:
    """Raises InputError: a value that makes no sense."""
    said = DemSaid(
        tuple(args.dem_datum),
        tuple(args.dem_offset_m),
        tuple(args.dem_sigma_m),
        tuple(args.dem_unit),
        tuple(args.dem_date),
        tuple(args.dem_licence),
        tuple(args.dem_attribution),
    )
    return tuple(args.dem), said
