"""What the values in a map pack's manifest may be. Each rule raises ValueError with the reason."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence

FINEST_LEVEL = 30  # 1 mm/px; no XYZ scheme goes on
MOST_FILES = 100_000
MOST_FILE_BYTES = 1 << 50
MOST_NUMBERS = 1 << 16  # of a descriptor
_SHA256 = re.compile(r"[0-9a-f]{64}")
# ASCII alone: what one file system takes for one name, another one may take for two.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,99}")
MOST_PARTS = 4
# SQLite would take these for the state of the file beside them; the manifest has its own place.
_NOT_NAMED = ("-journal", "-wal", "-shm", ".partial")
OWN_NAMES = ("manifest.json", "manifest.sig")


def check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # NaN is not, either
        raise ValueError(f"{name} is {value!r}, it must be {low} to {high}")


def check_sha256(name: str, value: str) -> None:
    if not _SHA256.fullmatch(value):
        raise ValueError(f"{name} is no sha256 (64 hexadecimal digits, small letters)")


def check_path(path: str) -> None:
    """A file's place in the pack: plain ASCII names with '/' between, nothing that leads out."""
    parts = path.split("/")
    if ".." in parts or path.startswith("/") or "\\" in path:
        raise ValueError(f"file {path!r} leads out of the pack; do not use this pack")
    if len(parts) > MOST_PARTS or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(f"file {path!r} has no name that a pack's file can have")
    if path.endswith(_NOT_NAMED) or path.lower() in OWN_NAMES:
        raise ValueError(f"file {path!r} is not to be named in a manifest")


def check_paths_differ(paths: Sequence[str]) -> None:
    """Also on a file system that takes A for a; and none is a folder of another."""
    if len(paths) > MOST_FILES:
        raise ValueError(f"{len(paths)} files are more than {MOST_FILES}")
    seen: set[str] = set()
    for path in paths:
        if path.lower() in seen:
            raise ValueError(f"file {path!r} is named twice")
        seen.add(path.lower())
    for path in seen:
        parts = path.split("/")
        if any("/".join(parts[:n]) in seen for n in range(1, len(parts))):
            raise ValueError(f"file {path!r} lies in what is a file itself")


def check_ascending(name: str, values: Iterable[object], said: str) -> None:
    """values: comparable with one another."""
    held = list(values)
    if any(not a < b for a, b in itertools.pairwise(held)):  # type: ignore[operator]
        raise ValueError(f"{name} are not sorted by {said}, or one stands there twice")
