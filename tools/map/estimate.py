"""`pilotage map estimate`: what mapping an area takes before anybody begins."""

from __future__ import annotations

import argparse
from pathlib import Path

from maps.estimate import (
    Estimate,
    Figure,
    Rates,
    estimate,
    measure_described_per_s,
    weights_of_pack,
)
from maps.plan import parse_levels
from onboard.errors import InputError
from onboard.model_bundle import ModelBundle, load_bundle
from tools.network_options import add_model_argument

HELP = (
    "States on paper what a map of an area takes: tiles, core hours, GPU hours, storage. "
    "Straight lines from measured figures, each with its source."
)
# Processor time on one core of an x86-64 server (AMD EPYC), November 2026.
_BANEPA = "measured: Banepa, JPEG tiles at levels 17-19, one x86-64 core"
_NAIP = "measured: NAIP Dakota, a GeoTIFF in UTM at levels 16-17, one x86-64 core"
LAID_PER_S = Figure(282.0, _NAIP)  # from JPEG tiles 349
INDEXED_PER_S = Figure(4_832.0, "measured: a shard of 65,536 tiles with its graph, likewise")
IMAGERY_BYTES = Figure(40_754.0, _BANEPA)  # of Dakota's fields 10,093
# Codes of 64 numbers with their places, and hnswlib's graph over them in full shards.
CODE_BYTES, GRAPH_BYTES = 66, 405
CUTTING = 0.88  # of the bare network's rate is left when tiles are cut out, too (123 of 140/s)
CUT = (
    "does not grow with the country: 100 km2 out of 10,000 at level 18, 17,423 tiles, 2.6 s, and "
    "4.2 s from a cold disk (measured: python -m tools.map.cut_bench)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--area-km2", type=float, required=True, help="the ground to map")
    parser.add_argument("--levels", required=True, help="Web Mercator levels, as 17-19 or 18,19")
    parser.add_argument("--lat-deg", type=float, required=True, help="latitude of its middle")
    parser.add_argument(
        "--like", type=Path, help="a pack of such ground: its bytes a tile (default: Banepa's)"
    )
    parser.add_argument(
        "--tiles-per-s",
        type=float,
        help="described tiles a core does, as 'pilotage map build' prints them "
        "(default: the network is measured here)",
    )
    parser.add_argument(
        "--gpu-tiles-per-s",
        type=float,
        help="what your GPU does: the pictures/s of 'pilotage export bench --batch 64'",
    )
    parser.add_argument("--cores", type=int, default=64, help="to state the time on (default 64)")
    add_model_argument(parser)


def run(args: argparse.Namespace) -> int:
    levels = parse_levels(args.levels)
    for option in ("tiles_per_s", "gpu_tiles_per_s", "cores"):
        value = getattr(args, option)
        if value is not None and not 0 < value < float("inf"):
            raise InputError(f"--{option.replace('_', '-')} {value}: must be above 0")
    bundle = load_bundle(args.model)
    described_bytes = 2 * bundle.descriptor_dim
    index_bytes = Figure(
        described_bytes + CODE_BYTES + GRAPH_BYTES,
        f"format: {bundle.descriptor_dim} float16, a code, and a graph measured at {GRAPH_BYTES}",
    )
    imagery, index = (
        (IMAGERY_BYTES, index_bytes) if args.like is None else weights_of_pack(args.like)
    )
    rates = Rates(
        laid_per_s=LAID_PER_S,
        described_per_s=_given(args.tiles_per_s) or _measured(bundle),
        indexed_per_s=INDEXED_PER_S,
        imagery_bytes=imagery,
        index_bytes=index,
        described_bytes=Figure(
            described_bytes + 8.0, f"format: {bundle.descriptor_dim} float16, column, row"
        ),
        gpu_described_per_s=_given(args.gpu_tiles_per_s),
    )
    for line in report(estimate(args.area_km2, args.lat_deg, levels, rates), rates, args.cores):
        print(line)
    return 0


def _measured(bundle: ModelBundle) -> Figure:
    bare = measure_described_per_s(bundle)
    return Figure(bare.value * CUTTING, f"{bare.source}, {bare.value:.0f}/s, times {CUTTING}")


def _given(value: float | None) -> Figure | None:
    return None if value is None else Figure(value, "given")


def report(found: Estimate, rates: Rates, cores: int) -> list[str]:
    """One line a fact; then the figures it rests on."""
    lines = [
        f"level {level.level}    {level.imagery:,.0f} imagery tiles of {level.side_m:.0f} m, "
        f"{level.described:,.0f} described"
        for level in found.levels
    ]
    hours = found.lay_core_hours + found.describe_core_hours
    lines += [
        f"tiles       {found.imagery_tiles:,.0f} imagery, {found.described_tiles:,.0f} described",
        f"cores       {hours:,.0f} core hours: {found.lay_core_hours:,.0f} laying, "
        f"{found.describe_core_hours:,.0f} describing; {hours / cores / 24:,.1f} days on "
        f"{cores} cores if all keep busy",
        f"index       {found.index_core_hours:,.0f} core hours if all of it were one pack",
        f"GPU         {_on_gpus(found)}",
        f"store       {_bytes(found.store_bytes)}, of which imagery {_bytes(found.imagery_bytes)}",
        f"pack        {_bytes(found.imagery_bytes + found.index_bytes)} if all of it were one",
        f"cut         {CUT}",
        "resting on",
    ]
    for name, unit, figure in (
        ("laying", "imagery tiles/s on a core", rates.laid_per_s),
        ("describing", "tiles/s on a core", rates.described_per_s),
        ("describing", "tiles/s on a GPU", rates.gpu_described_per_s),
        ("indexing", "tiles/s on a core", rates.indexed_per_s),
        ("imagery", "bytes a tile", rates.imagery_bytes),
        ("index", "bytes a described tile", rates.index_bytes),
        ("store", "bytes a described tile besides", rates.described_bytes),
    ):
        if figure is not None:
            lines.append(f"  {name:<12}{figure.value:,.0f} {unit} ({figure.source})")
    return lines


def _on_gpus(found: Estimate) -> str:
    if found.gpu_hours is not None:
        return f"{found.gpu_hours:,.0f} GPU hours of describing; laying stays on cores"
    return (
        f"not measured on any: {found.described_tiles / 1000 / 3600:,.0f} GPU hours of describing "
        "for each 1000 tiles/s it does; give --gpu-tiles-per-s"
    )


def _bytes(count: float) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count / 1e3:,.0f} kB"
