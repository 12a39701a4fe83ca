"""A log of rows that begin with a step: appended while training, cut back after a kill."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Writes the header first where the file is new. Floats get four decimals."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, list(row))
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})


def truncate_after(path: Path, step: int) -> None:
    """Drops rows that a killed run wrote after its last checkpoint."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as f:
        rows = list(csv.reader(f))
    kept = rows[:1] + [r for r in rows[1:] if r and r[0].isdigit() and int(r[0]) <= step]
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows(kept)
    part.replace(path)
