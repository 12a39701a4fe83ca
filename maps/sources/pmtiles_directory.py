"""The directories of a PMTiles version 3 file, none of whose numbers is believed: each is
checked against the file before it is followed.

A tile's number counts along Hilbert curves, zoom after zoom (PMTiles specification, 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onboard.pack.picture_header import MAX_TILE_BYTES

MAX_ZOOM = 26  # the library's own limit; a pixel of 2 mm
MAX_DEPTH = 4  # root and leaves below leaves, as the library follows them
MAX_TILES = 20_000_000  # 160 MB of numbers; at zoom 19 the imagery of 100,000 km2
BLOCK_TILES = 1 << 18  # 2 MB a column of numbers

Numbers = NDArray[np.int64]


class BrokenDirectory(Exception):
    """The message is a clause of what is wrong."""


@dataclass(frozen=True)
class Directory:
    """All tile entries of a file, sorted by id; runs tiles from ids on share their bytes, which
    lie at offsets from where the tiles begin."""

    ids: Numbers
    runs: Numbers
    offsets: Numbers
    lengths: Numbers

    def find(self, tile_id: int) -> tuple[int, int] | None:
        """(offset, length) of a tile's bytes."""
        i = int(np.searchsorted(self.ids, tile_id, "right")) - 1
        if i < 0 or tile_id - self.ids[i] >= self.runs[i]:
            return None
        return int(self.offsets[i]), int(self.lengths[i])

    def levels(self) -> tuple[int, ...]:
        last = self.ids + self.runs
        zooms = range(MAX_ZOOM + 1)
        return tuple(
            z for z in zooms if np.any((self.ids < first_id(z + 1)) & (last > first_id(z)))
        )

    def blocks(self, level: int) -> Iterator[NDArray[np.int64]]:
        """(N, 2) XYZ tiles (x, y) of a level, a part of them at a time: a few bytes may tell of
        millions."""
        begin, end = first_id(level), first_id(level + 1)
        first, last = np.clip(self.ids, begin, end), np.clip(self.ids + self.runs, begin, end)
        before = np.cumsum(last - first) - (last - first)
        total = int((last - first).sum())
        for start in range(0, total, BLOCK_TILES):
            number = np.arange(start, min(start + BLOCK_TILES, total))
            entry = np.searchsorted(before, number, "right") - 1
            yield _xy(first[entry] + number - before[entry] - begin, level)


def first_id(level: int) -> int:
    return ((1 << 2 * level) - 1) // 3


def read_directories(
    read: Callable[[int, int], bytes], root: bytes, leaves_bytes: int, tiles_bytes: int
) -> Directory:
    """read: (offset among the leaves, length) to the decompressed bytes of a leaf.

    Raises BrokenDirectory.
    """
    parts: list[Directory] = []
    seen: set[int] = set()
    total = 0

    def follow(data: bytes, depth: int) -> None:
        nonlocal total
        found = parse_directory(data)
        total += int(np.clip(found.runs, 1, MAX_TILES + 1).sum())
        if total > MAX_TILES:
            raise BrokenDirectory(
                f"holds more than {MAX_TILES:,} tiles; cut the area out with 'pmtiles extract'"
            )
        is_leaf = found.runs == 0
        limits = np.where(is_leaf, leaves_bytes, tiles_bytes)
        if np.any(found.offsets + found.lengths > limits):
            raise BrokenDirectory("an entry points beyond the file's end")
        if np.any(~is_leaf & (found.lengths > MAX_TILE_BYTES)):
            raise BrokenDirectory("a tile is too large")
        at = 0
        for i in np.flatnonzero(is_leaf):
            parts.append(_part(found, at, int(i)))
            at = int(i) + 1
            offset = int(found.offsets[i])
            if depth == MAX_DEPTH or offset in seen:
                raise BrokenDirectory("its directories lead in a circle")
            seen.add(offset)
            follow(read(offset, int(found.lengths[i])), depth + 1)
        parts.append(_part(found, at, len(is_leaf)))

    follow(root, 1)
    columns = ("ids", "runs", "offsets", "lengths")
    whole = Directory(*(np.concatenate([getattr(p, c) for p in parts]) for c in columns))
    if len(whole.ids) == 0:
        raise BrokenDirectory("holds no tiles")
    if np.any(whole.ids[1:] < whole.ids[:-1] + whole.runs[:-1]):
        raise BrokenDirectory("its entries are not in order")
    if whole.ids[-1] + whole.runs[-1] > first_id(MAX_ZOOM + 1):
        raise BrokenDirectory(f"has tiles beyond zoom {MAX_ZOOM}")
    return whole


def parse_directory(data: bytes) -> Directory:
    """One directory, decompressed; leaves have runs of 0. Raises BrokenDirectory."""
    numbers = _varints(data)
    if len(numbers) == 0 or len(numbers) != 1 + 4 * int(numbers[0]):
        raise BrokenDirectory("a directory's length is not that of its entries")
    steps, runs, lengths, coded = numbers[1:].reshape(4, -1)
    ids = _sums(steps)
    if np.any(lengths == 0) or np.any(steps[1:] == 0) or (len(coded) > 0 and coded[0] == 0):
        raise BrokenDirectory("a directory has an empty entry")
    if len(runs) and runs.max() > first_id(MAX_ZOOM + 1):
        raise BrokenDirectory("a directory's numbers are too large")
    # Coded as offset + 1, or 0: right behind the entry before.
    behind = _sums(lengths) - lengths
    told = np.maximum.accumulate(np.where(coded > 0, np.arange(len(coded)), 0))
    return Directory(ids, runs, coded[told] - 1 + behind - behind[told], lengths)


def _part(found: Directory, begin: int, end: int) -> Directory:
    rows = slice(begin, end)
    return Directory(found.ids[rows], found.runs[rows], found.offsets[rows], found.lengths[rows])


def _varints(data: bytes) -> Numbers:
    """Little-endian base 128, the high bit set on all bytes but a number's last."""
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets < 0x80)
    if len(ends) == 0 or ends[-1] != len(octets) - 1:
        raise BrokenDirectory("a directory ends in the middle of a number")
    begins = np.concatenate(([0], ends[:-1] + 1))
    if np.max(ends - begins) > 7:  # 56 bits: far above any number of a file that exists
        raise BrokenDirectory("a directory's numbers are too large")
    place = np.arange(len(octets)) - np.repeat(begins, ends - begins + 1)
    parts = (octets & 0x7F).astype(np.int64) << 7 * place
    return np.asarray(np.add.reduceat(parts, begins), np.int64)


def _sums(numbers: Numbers) -> Numbers:
    if numbers.sum(dtype=np.float64) >= 2**60:
        raise BrokenDirectory("a directory's numbers are too large")
    return np.cumsum(numbers)


def _xy(along: Numbers, level: int) -> NDArray[np.int64]:
    """(N, 2) x, y of positions along the Hilbert curve of a level."""
    x, y, rest = np.zeros_like(along), np.zeros_like(along), along.copy()
    for bit in range(level):
        side = 1 << bit
        right = rest >> 1 & 1
        down = (rest ^ right) & 1
        flip = (down == 0) & (right == 1)
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        x, y = np.where(down == 0, y, x), np.where(down == 0, x, y)
        x += side * right
        y += side * down
        rest >>= 2
    return np.stack([x, y], axis=1)
