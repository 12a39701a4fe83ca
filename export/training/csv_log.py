"""A log of rows that begin with a step: appended while training, cut back after a kill."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.whole_file import write_whole


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Writes the header first where the file is new. Floats get four decimals.

    Raises InputError: the file cannot be written, disk full.
    """
    try:
        with path.open("a", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, list(row))
            if f.tell() == 0:
                writer.writeheader()
            writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})
    except OSError as e:
        raise InputError(f"{path}: cannot be written ({e.strerror}); make room") from e


def truncate_after(path: Path, step: int) -> None:
    """Drops rows that a killed run wrote after its last checkpoint, and a line it wrote in part.

    Raises InputError: not a log, not readable or writable.
    """
    if not path.exists():
        return
    try:
        text = path.read_bytes().decode("utf-8", errors="replace")
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror})") from e
    lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
    if lines and not lines[0].startswith("step,"):
        raise InputError(f"{path}: not a log of `pilotage train`; remove it or give another --out")
    kept = lines[:1] + [line for line in lines[1:] if _step(line) <= step]
    write_whole(path, kept)


def _step(line: str) -> float:
    number = line.split(",", 1)[0]
    return int(number) if number.isdecimal() else float("inf")
