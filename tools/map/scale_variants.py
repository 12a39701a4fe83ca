"""Ways to find the nearest of many descriptors, side by side: what each finds, holds and takes.

All but the hnswlib graph over all numbers order a shortlist by the full descriptors; that takes
its size on the disk from each of them alike and isn't counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.pack.compact_codes import code_vectors, encode, nearest_codes
from onboard.pack.index_search import shortlists, smallest
from onboard.pack.tile_index import RECALL_NEAREST, Graph, IndexParameters, build_graph, unit_length

Vectors = NDArray[np.float32]
Positions = NDArray[np.intp]
Search = Callable[[Vectors], Positions]

PLACE_BYTES = 2  # of a tile's row and column within its shard
BINARY_SHORTLIST = 2000  # a sign says less than a byte
GRAPH_EFS = (64, 128, 256)
MOST_GRAPH_NUMBERS = 30_000_000  # a graph over more takes above two minutes to build


@dataclass(frozen=True)
class Variant:
    """bytes_per_tile: held in memory. recall: of the RECALL_NEAREST nearest by all numbers in
    float32. build_s, load_s: once; p50_ms, p99_ms: of a search without a prior
    on one core; cpu_p99_ms: of its processor time, the same on a busy machine."""

    name: str
    bytes_per_tile: float
    recall: float
    build_s: float
    load_s: float
    p50_ms: float
    p99_ms: float
    cpu_p99_ms: float


def variants(
    full: NDArray[np.float16], queries: Vectors, exact: Positions, folder: Path
) -> list[Variant]:
    """full: (N, D), unit length. queries: (Q, D). exact: (Q, RECALL_NEAREST) positions. folder:
    keeps graphs from one run to the next."""
    wide, dim = unit_length(full), full.shape[1]
    short, codes, signs = code_vectors(full).astype(np.float32), encode(full), _signs(full)
    numbers, listed = codes.shape[1], shortlists(dim)[1]

    def rescored(shortlist: Search) -> Search:
        def search(query: Vectors) -> Positions:
            chosen = shortlist(query)
            distances = -np.einsum("nd,d->n", wide[chosen], query)
            return np.asarray(chosen[smallest(distances, RECALL_NEAREST)])

        return search

    def by_codes(query: Vectors) -> Positions:
        positions, _ = nearest_codes(codes, encode(query[None])[0], listed)
        return positions

    def by_signs(query: Vectors) -> Positions:
        found = cv2.batchDistance(
            _signs(query[None]), signs, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=BINARY_SHORTLIST
        )
        return np.asarray(found[1][0], np.intp)

    def by_few_signs(query: Vectors) -> Positions:
        differ = np.bitwise_count(words ^ _signs(query[None, :numbers]).view(np.uint64)[0, 0])
        return np.asarray(smallest(differ, BINARY_SHORTLIST))

    words = _signs(full[:, :numbers]).view(np.uint64)[:, 0] if numbers == 64 else None
    todo: list[tuple[str, float, Search]] = [
        (f"float32, all {dim}, exact", 4 * dim, lambda q: smallest(-(wide @ q), RECALL_NEAREST)),
        (f"float32, {numbers}, rescored", 4 * numbers,
         rescored(lambda q: smallest(-(short @ _short(q)), listed))),
        (f"int8, {numbers}, rescored (the pack's)", numbers, rescored(by_codes)),
    ]  # fmt: skip
    if words is not None:
        todo.append((f"binary, {numbers}, rescored", numbers / 8, rescored(by_few_signs)))
    if dim > numbers:
        todo.append((f"binary, {dim}, rescored", dim / 8, rescored(by_signs)))
    out = [
        _timed(name, bytes_held + PLACE_BYTES, search, queries, exact)
        for name, bytes_held, search in todo
    ]
    if short.size <= MOST_GRAPH_NUMBERS:
        out += _graphs(f"{numbers}", short, queries, exact, folder, rescored)
    if dim > numbers and wide.size <= MOST_GRAPH_NUMBERS:
        out += _graphs(f"all {dim}", wide, queries, exact, folder, rescored)
    return out


def _graphs(
    name: str,
    vectors: Vectors,
    queries: Vectors,
    exact: Positions,
    folder: Path,
    rescored: Callable[[Search], Search],
) -> list[Variant]:
    path = folder / f"graph-{vectors.shape[1]}.hnsw"
    taken = path.with_suffix(".seconds")
    if not path.exists():
        began = time.perf_counter()
        build_graph(vectors, IndexParameters(), path.with_suffix(".tmp"))
        taken.write_text(f"{time.perf_counter() - began}\n")
        path.with_suffix(".tmp").replace(path)
    whole, out = vectors.shape[1] == queries.shape[1], []
    for ef in GRAPH_EFS:
        began = time.perf_counter()
        graph = Graph(path, len(vectors), vectors.shape[1], IndexParameters(ef=ef))
        load_s = time.perf_counter() - began
        found = _timed(
            f"hnswlib float32, {name}, ef {ef}" + ("" if whole else ", rescored"),
            path.stat().st_size / len(vectors) + PLACE_BYTES,
            _by_graph(graph, RECALL_NEAREST) if whole else rescored(_by_graph(graph, ef, True)),
            queries,
            exact,
        )
        out.append(replace(found, build_s=float(taken.read_text()), load_s=load_s))
    return out


def _by_graph(graph: Graph, k: int, short: bool = False) -> Search:
    return lambda query: graph.nearest(_short(query) if short else query, k)[0]


def _timed(
    name: str, bytes_per_tile: float, search: Search, queries: Vectors, exact: Positions
) -> Variant:
    search(queries[0])
    found, spent_ms, cpu_ms = 0, [], []
    for query, wanted in zip(queries, exact, strict=True):
        began, cpu_began = time.perf_counter(), time.process_time()
        positions = search(query)
        cpu_ms.append((time.process_time() - cpu_began) * 1e3)
        spent_ms.append((time.perf_counter() - began) * 1e3)
        found += len(set(positions[:RECALL_NEAREST].tolist()) & set(wanted.tolist()))
    p50_ms, p99_ms = (float(v) for v in np.percentile(spent_ms, [50, 99]))
    share, cpu_p99_ms = found / exact.size, float(np.percentile(cpu_ms, 99))
    return Variant(name, bytes_per_tile, share, 0.0, 0.0, p50_ms, p99_ms, cpu_p99_ms)


def _short(query: Vectors) -> Vectors:
    return np.asarray(code_vectors(query[None])[0], np.float32)


def _signs(vectors: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(N, D/8): a bit a number."""
    return np.packbits(vectors > 0, axis=1)
