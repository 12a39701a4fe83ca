"""Looks through an hnswlib file before hnswlib loads it.

hnswlib (0.8) believes what it reads: a crafted header, link list or entry point makes its loader
and its search write and read outside their memory (hnswlib issue 673). The layout checked here is
that of `HierarchicalNSW::saveIndex`: a header of 96 bytes; per element its links at level 0 (a
count and 2 M numbers of elements), its vector (float32) and its label (uint64); then per element
the length of its lists above level 0 and those lists (a count and M numbers each).
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.pack.ordinary_file import open_ordinary

# offsetLevel0, max_elements, cur_element_count, size_data_per_element, label_offset, offsetData,
# maxlevel, enterpoint_node, maxM, maxM0, M, mult, ef_construction
_HEADER = struct.Struct("<6QiI3QdQ")
HIGHEST_LEVEL = 32  # an element is one higher with probability 1/M: 10^8 elements reach 7
PIECE_BYTES = 16 << 20  # read at a time
_WORD = 4  # bytes of a link


@dataclass(frozen=True)
class GraphShape:
    """What the file must hold, as the manifest says it."""

    count: int
    dim: int
    m: int
    ef_construction: int

    @property
    def entry_bytes(self) -> int:
        """Of one element at level 0."""
        return self._links_bytes + _WORD * self.dim + 8

    @property
    def entry(self) -> np.dtype[np.void]:
        return np.dtype(
            [
                ("n", "<u4"),
                ("to", "<u4", (2 * self.m,)),
                ("v", "<f4", (self.dim,)),
                ("label", "<u8"),
            ]
        )

    @property
    def _links_bytes(self) -> int:
        return _WORD * (2 * self.m + 1)

    def header_starts(self) -> tuple[int, ...]:
        """The header's first six fields."""
        links = self._links_bytes
        return 0, self.count, self.count, self.entry_bytes, links + _WORD * self.dim, links


def check_hnsw(path: Path, shape: GraphShape) -> None:
    """Raises InputError when loading or searching the file would leave its memory, or when it
    isn't the graph that the manifest tells of. Reads the whole file, in pieces."""
    try:
        with open_ordinary(path) as file:
            _check(file, os.fstat(file.fileno()).st_size, shape)
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); build the pack again") from e
    except ValueError as e:
        raise InputError(f"{path}: not an hnswlib index of this pack ({e}); do not use it") from e


def _check(file: BinaryIO, size: int, shape: GraphShape) -> None:
    if shape.count < 1 or shape.dim < 1 or shape.m < 2:
        raise ValueError("it would be empty")
    least = _HEADER.size + shape.count * (shape.entry_bytes + _WORD)
    if size < least:
        raise ValueError(f"{size} bytes, {shape.count} elements take at least {least}")
    if size > least + shape.count * HIGHEST_LEVEL * _WORD * (shape.m + 1):
        raise ValueError(f"{size} bytes are too many for {shape.count} elements")
    highest, entry = _check_header(file, shape)
    _check_elements(file, shape)
    words = np.frombuffer(file.read(), "<u4") if size % _WORD == 0 else np.zeros(0, "<u4")
    levels, starts = _levels(words, shape)
    if levels.max() != highest or levels[entry] != highest:
        raise ValueError("its entry point is not at the highest level")
    _check_upper(words, levels, starts, shape)


def _check_header(file: BinaryIO, shape: GraphShape) -> tuple[int, int]:
    """(highest level, entry point)."""
    fields = _HEADER.unpack(file.read(_HEADER.size))
    highest, entry, m, m0, m_again, mult, ef_construction = fields[6:]
    if fields[:6] != shape.header_starts():
        raise ValueError(
            f"its header tells of {fields[2]} elements of {fields[3]} bytes, the manifest of "
            f"{shape.count} of {shape.entry_bytes}"
        )
    if (m, m0, m_again) != (shape.m, 2 * shape.m, shape.m):
        raise ValueError(f"its M is {m}, the manifest says {shape.m}")
    if ef_construction != max(shape.ef_construction, shape.m):
        raise ValueError(f"its ef_construction is {ef_construction}")
    if not abs(mult * np.log(shape.m) - 1.0) < 1e-9:
        raise ValueError(f"its level factor is {mult}")
    if not 0 <= highest <= HIGHEST_LEVEL or entry >= shape.count:
        raise ValueError(f"its entry point is element {entry} at level {highest}")
    return highest, entry


def _check_elements(file: BinaryIO, shape: GraphShape) -> None:
    at_once = max(1, PIECE_BYTES // shape.entry_bytes)
    for first in range(0, shape.count, at_once):
        count = min(at_once, shape.count - first)
        data = file.read(count * shape.entry_bytes)
        if len(data) != count * shape.entry_bytes:
            raise ValueError("it ends within its elements")
        piece = np.frombuffer(data, shape.entry)
        # The count's upper bytes hold hnswlib's mark of deletion, which no pack has.
        _check_links(piece["n"], piece["to"], shape.count, "level 0")
        if not np.isfinite(piece["v"]).all():
            raise ValueError("a vector holds what is no number")
        if not np.array_equal(piece["label"], np.arange(first, first + count, dtype=np.uint64)):
            raise ValueError("its labels are not the tiles' positions")


def _check_links(
    counts: NDArray[np.uint32], to: NDArray[np.uint32], elements: int, where: str
) -> NDArray[np.bool_]:
    """counts (N,), to (N, most links). Gives which of `to` are links."""
    if (counts > to.shape[1]).any():
        raise ValueError(f"an element at {where} has {counts.max()} links of {to.shape[1]}")
    used = np.asarray(np.arange(to.shape[1], dtype=np.uint32) < counts[:, None])
    if (used & (to >= elements)).any():
        raise ValueError(f"a link at {where} leads out of the index")
    return used


def _levels(
    words: NDArray[np.uint32], shape: GraphShape
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Every element's level, and where in `words` its lists start (where the level is not 0)."""
    levels, starts = np.zeros(shape.count, np.int32), np.zeros(shape.count, np.int64)
    list_words = shape.m + 1
    nonzero = np.flatnonzero(words)
    element = at = 0
    while True:  # from one element above level 0 to the next; those between take a word each
        next_one = int(np.searchsorted(nonzero, at))
        jump = int(nonzero[next_one]) - at if next_one < len(nonzero) else len(words) - at
        element, at = element + jump, at + jump
        if at == len(words) or element >= shape.count:
            break
        level, rest = divmod(int(words[at]), _WORD * list_words)
        if rest or level > HIGHEST_LEVEL or at + 1 + level * list_words > len(words):
            raise ValueError(f"element {element} has link lists of {int(words[at])} bytes")
        levels[element], starts[element] = level, at + 1
        element, at = element + 1, at + 1 + level * list_words
    if element != shape.count or at != len(words):
        raise ValueError("its link lists are more or fewer than its elements")
    return levels, starts


def _check_upper(
    words: NDArray[np.uint32],
    levels: NDArray[np.int32],
    starts: NDArray[np.int64],
    shape: GraphShape,
) -> None:
    for level in range(1, int(levels.max()) + 1):
        here = starts[levels >= level] + (level - 1) * (shape.m + 1)
        lists = words[here[:, None] + np.arange(shape.m + 1)]
        used = _check_links(lists[:, 0], lists[:, 1:], shape.count, f"level {level}")
        if (levels[lists[:, 1:][used]] < level).any():
            raise ValueError(f"a link at level {level} leads to an element that is not there")
