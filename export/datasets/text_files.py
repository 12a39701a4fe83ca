"""Reads lines, tables and numbers of label files, with file, line and column in every error."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onboard.errors import InputError


def read_lines(path: Path) -> list[tuple[int, str]]:
    """(line number, text without blanks at its ends) of every line that is not empty.

    Raises InputError: absent, not UTF-8, no lines.
    """
    text = _read_text(path)
    lines = [(n, line.strip()) for n, line in enumerate(text.split("\n"), 1)]
    kept = [(n, line) for n, line in lines if line]
    if not kept:
        raise InputError(f"{path}: empty; get the data set again")
    return kept


def read_csv(path: Path) -> list[tuple[int, list[str]]]:
    """(line number, cells) of every row that is not empty, header included.

    Raises InputError: absent, not UTF-8, not CSV, no rows.
    """
    text = _read_text(path)
    try:
        reader = csv.reader(io.StringIO(text, newline=""))
        cut = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as e:
        raise InputError(f"{path}: not a CSV file ({e}); get the data set again") from e
    rows = [(line, cells) for line, cells in cut if any(cells)]
    if not rows:
        raise InputError(f"{path}: empty; get the data set again")
    return rows


def read_json(path: Path, kind: type) -> Any:
    """The parsed file, a `kind` (list or dict). Raises InputError: absent, not such JSON."""
    try:
        value = json.loads(_read_text(path))
    except (ValueError, RecursionError) as e:
        raise InputError(f"{path}: not valid JSON ({e}); get the data set again") from e
    if not isinstance(value, kind):
        expected = "a list" if kind is list else "an object"
        raise InputError(f"{path}: holds {type(value).__name__}, not {expected}; get it again")
    return value


def number(text: Any, where: str) -> float:
    """A finite number. where: file, line and column. Raises InputError."""
    try:
        value = float(text)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if isinstance(text, bool) or not math.isfinite(value):
        raise InputError(f"{where}: {text!r} is no number; correct it or get the data set again")
    return value


def position(lat: Any, lon: Any, where: str) -> tuple[float, float]:
    """(lat, lon) in degrees. Raises InputError: no numbers, or outside the globe."""
    lat_deg, lon_deg = number(lat, where), number(lon, where)
    if not (abs(lat_deg) <= 90 and abs(lon_deg) <= 180):
        raise InputError(f"{where}: {lat_deg}, {lon_deg} is no latitude and longitude; correct it")
    return lat_deg, lon_deg


def need_columns(path: Path, line: int, cells: Sequence[str], count: int, layout: str) -> None:
    """Raises InputError: fewer cells than that."""
    if len(cells) < count:
        raise InputError(
            f"{path}, line {line}: {len(cells)} columns where {layout} are due; "
            "correct the line or get the data set again"
        )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as e:
        raise InputError(f"{path}: no such file; get the data set's label files, too") from e
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror})") from e
    except UnicodeDecodeError as e:
        raise InputError(f"{path}: not a text file in UTF-8 ({e}); get it again") from e
