"""The scale study's figures as Markdown, and straight lines through them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from onboard.geodesy import pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_STRIDE_PX
from onboard.pack.tile_index import CELL_STEPS
from onboard.whole_file import write_whole
from tools.map.scale_pack import CELL_ROW, LEVEL

Figures = dict[str, Any]
Row = list[str]
Value = Callable[[Figures], float]

EXTRAPOLATED = (10_000_000, 100_000_000)
# What grows with the tiles: name, value, how it is written.
GROWING: tuple[tuple[str, Value, str], ...] = (
    ("build, s", lambda f: f["build_s"], ",.0f"),
    ("on the disk, GB", lambda f: f["disk_bytes"] / 1e9, ",.2f"),
    ("codes and places, MB", lambda f: f["flight"]["codes_bytes"] / 1e6, ",.1f"),
    ("private memory in flight, MB", lambda f: f["flight"]["tracking_bytes"] / 1e6, ",.1f"),
    ("reading it, s", lambda f: f["flight"]["load_s"], ",.2f"),
    ("no prior, P50 ms", lambda f: f["flight"]["no_prior"]["p50_ms"], ",.1f"),
    ("no prior, P99 ms", lambda f: f["flight"]["no_prior"]["p99_ms"], ",.1f"),
    ("of the processor", lambda f: f["flight"]["no_prior"]["cpu_p99_ms"], ",.1f"),
)


def write_table(path: Path, found: list[Figures]) -> None:
    """found: what `scale_study` measured. Raises InputError: not writable."""
    lines = [
        "# The index of a map pack, by its number of tiles",
        "",
        f"{tiles_per_km2():.0f} tiles/km2: 150 m, 50 % overlap. Memory: private, of a process of "
        "its own whose data segment was limited; km2 of one level.",
        "",
        *_rows(_flight_header(), [_flight_row(f) for f in found]),
    ]
    for kind in dict.fromkeys(f["kind"] for f in found):
        same = [f for f in found if f["kind"] == kind]
        lines += ["", f"## {kind}: straight lines", "", *_lines_table(same)]
    for figures in found:
        title = f"## {figures['kind']}, {figures['tiles']:,} tiles: ways to search all of them"
        lines += ["", title, "", *_variant_table(figures)]
    write_whole(path, "\n".join(lines) + "\n")


def tiles_per_km2() -> float:
    """Of the study's level, at the study's latitude."""
    lat_deg, _ = pixel_to_latlon(0.0, CELL_ROW * CELL_STEPS * TILE_STRIDE_PX, LEVEL)
    east_m, north_m = pixel_size_m(float(lat_deg), LEVEL)
    return float(1e6 / (TILE_STRIDE_PX**2 * east_m * north_m))


def _flight_header() -> Row:
    return [
        "descriptors", "tiles", "build s", "codes KB/km2", "measured KB/km2", "recall@10",
        "prior 30/300/3000 m: P99 ms", "of the processor",
        "no prior P50 / P99 ms, of the processor", "with graphs P50 / P99 ms, recall",
        "8 MiB of memory: kept MB, P99 ms prior 300 m / none",
    ]  # fmt: skip


def _flight_row(figures: Figures) -> Row:
    flight, graphs, small = (figures[n] for n in ("flight", "with_graphs", "small_memory"))
    km2 = figures["tiles"] / tiles_per_km2()
    return [
        figures["kind"],
        f"{figures['tiles']:,}",
        f"{figures['build_s']:.0f}",
        f"{flight['codes_bytes'] / km2 / 1e3:.2f}",
        f"{flight['tracking_bytes'] / km2 / 1e3:.2f}",
        f"{flight['recall']:.4f}",
        " / ".join(f"{t['p99_ms']:.2f}" for t in flight["with_prior"].values()),
        " / ".join(f"{t['cpu_p99_ms']:.2f}" for t in flight["with_prior"].values()),
        f"{flight['no_prior']['p50_ms']:.1f} / {flight['no_prior']['p99_ms']:.1f}, "
        f"{flight['no_prior']['cpu_p99_ms']:.1f}",
        f"{graphs['no_prior']['p50_ms']:.1f} / {graphs['no_prior']['p99_ms']:.1f}, "
        f"{graphs['recall']:.4f}" if graphs["uses_graphs"] else "none",
        f"{small['kept_bytes'] / 1e6:.1f}, {small['with_prior']['300']['p99_ms']:.2f} / "
        f"{small['no_prior']['p99_ms']:.1f}",
    ]  # fmt: skip


def _lines_table(same: list[Figures]) -> list[str]:
    tiles = np.array([f["tiles"] for f in same], float)
    rows = []
    for name, value, form in GROWING:
        values = np.array([value(f) for f in same])
        measured = [format(v, form) for v in values]
        line = np.polyfit(tiles, values, 1) if len(same) > 1 else np.zeros(2)
        guessed = [format(float(np.polyval(line, n)), form) for n in EXTRAPOLATED]
        rows.append([name, *measured, *(guessed if len(same) > 1 else ["", ""])])
    header = ["", *(f"{f['tiles']:,}" for f in same), *(f"{n:,} (line)" for n in EXTRAPOLATED)]
    return _rows(header, rows)


def _variant_table(figures: Figures) -> list[str]:
    rows = [
        [
            v["name"],
            f"{v['bytes_per_tile']:.0f}",
            f"{v['bytes_per_tile'] * tiles_per_km2() / 1e3:.1f}",
            f"{v['recall']:.4f}",
            f"{v['p50_ms']:.2f} / {v['p99_ms']:.2f}",
            f"{v['cpu_p99_ms']:.2f}",
            f"{v['build_s']:.0f}" if v["build_s"] else "",
            f"{v['load_s']:.2f}" if v["load_s"] else "",
        ]
        for v in figures["variants"]
    ]
    header = [
        "",
        "bytes/tile",
        "KB/km2",
        "recall@10",
        "P50 / P99 ms",
        "P99 of the processor",
        "build s",
        "load s",
    ]
    return _rows(header, rows)


def _rows(header: Row, rows: list[Row]) -> list[str]:
    rule = ["---"] * len(header)
    return [f"| {' | '.join(row)} |" for row in (header, rule, *rows)]
