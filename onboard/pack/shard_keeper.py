"""Keeps the shards of a pack's index open that matter where the flight is.

What is found never depends on it: a search reads whatever shard it needs, and whatever isn't
kept is read, used and let go. So a pack may be larger than the memory, and a replay finds what
the flight found, however the threads were scheduled. Memory is given to the shards nearest to
the last place; those ahead are read by a thread before a search asks for them.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from onboard.errors import InputError
from onboard.pack.compact_codes import code_numbers
from onboard.pack.index_shard import (
    PLACE_BYTES,
    OpenShard,
    open_codes,
    open_descriptors,
    read_shard,
)
from onboard.pack.kept_shards import KeptShards
from onboard.pack.pack_manifest import Manifest, Shard
from onboard.pack.pack_stamps import HashedFiles
from onboard.pack.row_file import RowFile
from onboard.pack.tile_index import CELL_STEPS, Graph

log = logging.getLogger(__name__)

# 4 million tiles' codes, 23,000 km2 at tiles of 150 m; an Orin Nano has 8 GiB, a Pi 5 from 2.
MEMORY_BYTES = 256 << 20
AHEAD_M = 2000.0  # 40 s at 50 m/s; a full shard takes 0.01 s to read from flash
SEARCH_THREADS = 4
PARALLEL_TILES = 100_000  # a search of 1 ms; a thread takes 0.05 ms to wake
KEPT_FILES = 128  # of descriptors; a process may have 1024 open

R = TypeVar("R")


class ShardKeeper:
    """For any number of threads."""

    def __init__(
        self,
        pack: Path,
        manifest: Manifest,
        memory_bytes: int = MEMORY_BYTES,
        hashed: HashedFiles | None = None,
    ) -> None:
        """memory_bytes: what codes and graphs may take together. hashed: no file is read that was
        written since. Opens nothing yet."""
        self._hashed = hashed
        self._pack, self._manifest, self._memory_bytes = pack, manifest, memory_bytes
        self._shards = manifest.shards
        self._by_level = {
            level: tuple(s for s in self._shards if s.level == level) for level in manifest.levels
        }
        self._cells = {
            level: (np.array([s.cell_col for s in shards]), np.array([s.cell_row for s in shards]))
            for level, shards in self._by_level.items()
        }
        self._numbers = code_numbers(manifest.model.descriptor_dim)
        self._sizes = {f.path: f.size for f in manifest.files}
        self._lock = threading.Lock()
        self._kept = KeptShards(self._shards, memory_bytes)
        b = manifest.bounds
        self._kept.move_to((b.south + b.north) / 2, (b.west + b.east) / 2)
        self._near: frozenset[Shard] = frozenset()
        self._ahead: dict[Shard, Future[None]] = {}
        self._files: OrderedDict[Shard, RowFile] = OrderedDict()
        self._graphs: dict[Shard, Graph] = {}
        self._reader: ThreadPoolExecutor | None = None
        self._is_closed = False
        self._searchers: ThreadPoolExecutor | None = None

    def of_level(self, level: int) -> tuple[Shard, ...]:
        """By cell row, then column. Raises InputError: no such level."""
        if level not in self._by_level:
            known = ", ".join(map(str, self._manifest.levels))
            raise InputError(f"{self._pack}: has no level {level}; it has {known}")
        return self._by_level[level]

    def within(self, level: int, col0: int, col1: int, row0: int, row1: int) -> list[int]:
        """Numbers, in `of_level`, of the shards that tiles of this window would be in."""
        cell_cols, cell_rows = self._cells[level]
        across = (cell_cols >= col0 // CELL_STEPS) & (cell_cols <= col1 // CELL_STEPS)
        along = (cell_rows >= row0 // CELL_STEPS) & (cell_rows <= row1 // CELL_STEPS)
        return [int(n) for n in np.flatnonzero(across & along)]

    def check(self) -> None:
        """Raises InputError when a file is not what the manifest says, as far as its header and
        length tell: what is damaged shall show before the flight."""
        dim = self._manifest.model.descriptor_dim
        for shard in self._shards:
            open_descriptors(self._pack, shard, dim).close()
            open_codes(self._pack, shard, dim).close()

    def open(self, shard: Shard) -> OpenShard:
        """Raises InputError when its file is not what the manifest says."""
        with self._lock:
            kept = self._kept.get(shard)
            ahead = self._ahead.get(shard)
        if kept is None and ahead is not None and not ahead.cancel():
            ahead.result()  # being read just now
            kept = self._kept.get(shard)
        return kept or self._read(shard)

    def descriptors(self, shard: Shard) -> RowFile:
        """Raises InputError when the file is not what the manifest says."""
        with self._lock:
            if shard in self._files:
                self._files.move_to_end(shard)
                return self._files[shard]
        # Not under the lock: a disk that is slow here holds up no search of what is there.
        dim = self._manifest.model.descriptor_dim
        opened = open_descriptors(self._pack, shard, dim, self._hashed)
        with self._lock:
            file = self._files.setdefault(shard, opened)
            self._files.move_to_end(shard)
            if len(self._files) > KEPT_FILES:
                self._files.popitem(last=False)
        return file

    def _check_unchanged(self, name: str) -> None:
        if self._hashed is not None:
            self._hashed.check(name)

    def uses_graphs(self, level: int) -> bool:
        """Whether the level's graphs fit into the memory beside the codes of the whole pack."""
        graphs = sum(self._sizes[s.graph] for s in self.of_level(level) if s.graph)
        return graphs > 0 and graphs + self.codes_bytes() <= self._memory_bytes

    def codes_bytes(self) -> int:
        """Of the codes and places of all shards."""
        return sum(s.count for s in self._shards) * (self._numbers + PLACE_BYTES)

    def fits_memory(self) -> bool:
        """Whether a search of the whole map reads nothing again."""
        return self.codes_bytes() <= self._memory_bytes

    def kept_bytes(self) -> int:
        """Of what is in memory now, without graphs."""
        with self._lock:
            return self._kept.size_bytes

    def graph(self, shard: Shard) -> Graph:
        """Graphs of one level at a time are kept. Raises InputError: not the graph that the
        manifest tells of."""
        assert shard.graph is not None
        with self._lock:
            graph = self._graphs.get(shard)
        if graph is None:
            self._check_unchanged(shard.graph)
            path, parameters = self._pack / shard.graph, self._manifest.index
            graph = Graph(path, shard.count, self._numbers, parameters)
            self._check_unchanged(shard.graph)  # between the two hnswlib opened it by its name
            with self._lock:
                self._graphs = {s: g for s, g in self._graphs.items() if s.level == shard.level}
                self._graphs[shard] = graph
        return graph

    def for_each(self, shards: tuple[Shard, ...], work: Callable[[Shard], R]) -> list[R]:
        """The work's results in the shards' order; of many tiles, done by several threads."""
        if sum(shard.count for shard in shards) < PARALLEL_TILES or len(shards) < 2:
            return [work(shard) for shard in shards]
        with self._lock:
            if self._searchers is None:
                threads = min(SEARCH_THREADS, len(os.sched_getaffinity(0)))
                self._searchers = ThreadPoolExecutor(threads, "search")
        return list(self._searchers.map(work, shards))

    def move_to(self, lat_deg: float, lon_deg: float, reach_m: float = 0.0) -> None:
        """The flight is here or within reach_m: what is near is read ahead, by a thread."""
        with self._lock:
            close = self._kept.move_to(lat_deg, lon_deg) <= reach_m + AHEAD_M
            near = [self._shards[int(n)] for n in np.flatnonzero(close)]
            coming = [s for s in near if s not in self._near]
            self._near = frozenset(near)
        self._read_ahead(coming, self._prepare)

    def warm(self) -> None:
        """Reads the shards nearest to the place ahead, as many as fit into the memory."""
        with self._lock:
            order = self._kept.nearest_first()
        room, wanted = self._memory_bytes, []
        for shard in (self._shards[n] for n in order):
            room -= shard.count * (self._numbers + PLACE_BYTES)
            if room < 0:
                break
            wanted.append(shard)
        self._read_ahead(wanted, self._read)

    def wait(self) -> None:
        """Until all that is read ahead has been read."""
        with self._lock:
            ahead = list(self._ahead.values())
        for future in ahead:
            if not future.cancelled():
                future.exception()

    def close(self) -> None:
        """Reads no more ahead than the shard it is at, and doesn't wait for that: a disk may hang.
        A search may still be made; a file is closed when nobody reads it any more."""
        with self._lock:
            reader, self._reader, self._is_closed = self._reader, None, True
        if reader is not None:
            reader.shutdown(wait=False, cancel_futures=True)

    def _read_ahead(self, shards: Iterable[Shard], read: Callable[[Shard], object]) -> None:
        with self._lock:
            for shard in () if self._is_closed else shards:
                if shard not in self._ahead:
                    if self._reader is None:
                        self._reader = ThreadPoolExecutor(1, "index-reader")
                    self._ahead[shard] = self._reader.submit(self._quietly, read, shard)

    def _prepare(self, shard: Shard) -> None:
        """Its codes into the memory, its descriptors into what the system keeps of the disk."""
        self.descriptors(shard).will_be_read()
        with self._lock:
            kept = self._kept.get(shard)
        if kept is None:
            self._read(shard)

    def _quietly(self, read: Callable[[Shard], object], shard: Shard) -> None:
        try:
            read(shard)
        except InputError as e:
            log.warning("%s", e)  # the search that needs it says so, too
        finally:
            with self._lock:
                self._ahead.pop(shard, None)

    def _read(self, shard: Shard) -> OpenShard:
        dim = self._manifest.model.descriptor_dim
        opened = read_shard(self._pack, shard, dim, self._hashed)
        with self._lock:
            self._ahead.pop(shard, None)
            self._kept.add(opened)
        return opened
