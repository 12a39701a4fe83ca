"""The row that a data set's papers print."""

from __future__ import annotations

import math
from collections.abc import Sequence

from export.benchmark.figures import Figures
from export.benchmark.result import Result

AFTER = ("re-ranked R@1", "R@1m", "R@10m", "mean m", "median m")
COLUMNS: dict[str, tuple[str, ...]] = {
    "university1652": ("R@1", "R@5", "R@10", "R@1%", "AP"),
    "sues200": ("R@1", "R@5", "R@10", "R@1%", "AP"),
    "denseuav": ("R@1", "R@5", "R@10", "AP", "SDM@1", "SDM@3", "SDM@5", "MA@5", "MA@20"),
    "vigor": ("R@1", "R@5", "R@10", "R@1%", "hit", *AFTER),
    "cvusa": ("R@1", "R@5", "R@10", "R@1%"),
    "cvact": ("R@1", "R@5", "R@10", "R@1%"),
    "uav-visloc": ("R@1", "R@5", "R@10", "AP step", "SDM m@3", "Dis@1 m"),
    "gta-uav": ("R@1", "R@5", "R@10", "AP step", "SDM m@3", "Dis@1 m"),
    "anyvisloc": ("R@1", "R@5", "PDM@1", "PDM@3", "PDM@5"),
    "flight": ("R@1", "R@5", "R@10", "AP", "MA@20", "MA@50", "median m", "re-ranked R@1"),
}


def table(dataset: str, results: Sequence[Result]) -> str:
    """Shares in percent, distances in metres; a last row of means, weighted by queries, where
    there are several rows."""
    columns = [c for c in COLUMNS[dataset] if any(c in r.figures for r in results)]
    lines = [["set", "weather", "queries", "gallery", *columns]]
    for r in results:
        counts = [f"{r.queries}", f"{r.gallery}"]
        lines.append([r.name, r.weather.value, *counts, *_cells(r.figures, columns)])
    if len(results) > 1:
        lines.append(["mean", "", "", "", *_cells(mean(results), columns)])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def mean(results: Sequence[Result]) -> Figures:
    """Over all queries, of the figures that every row has; medians have no mean."""
    shared = set.intersection(*(set(r.figures) for r in results))
    queries = sum(r.queries for r in results)
    return {
        name: sum(r.figures[name] * r.queries for r in results) / queries
        for name in results[0].figures
        if name in shared and not name.startswith("median")
    }


def _cells(figures: Figures, columns: Sequence[str]) -> list[str]:
    cells = []
    for name in columns:
        value = figures.get(name, math.nan)
        scale = 1.0 if name.endswith(" m") else 100.0
        cells.append("-" if math.isnan(value) else f"{scale * value:.2f}")
    return cells
