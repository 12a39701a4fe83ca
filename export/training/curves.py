"""The curves of a training run, drawn from its log."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from onboard.whole_file import write_whole


def draw_curves(log: Path, validation: Path, out: Path) -> None:
    """Losses by step on the left, shares of the held-out queries on the right; a PNG."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for axes, path in ((left, log), (right, validation)):
        rows = _read(path)
        for column in rows[0] if rows else ():
            if column not in ("step", "seconds"):
                axes.plot([r["step"] for r in rows], [r[column] for r in rows], label=column)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if rows:
            axes.legend(fontsize=8)
    left.set_yscale("log")
    left.set_title("training losses")
    right.set_ylim(0, 1)
    right.set_title("held-out ground")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=80)
    plt.close(figure)
    write_whole(out, png.getvalue())


def _read(path: Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as f:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(f)]
