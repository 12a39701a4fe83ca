"""How a pack's index grows: 10^4 to 10^6 tiles measured, straight lines on to 10^8.

    python -m tools.map.scale_study OUT --real A.pack B.pack

Needs a quiet machine for its times. Packs, graphs and measurements in OUT are kept: a study that
was stopped goes on. OUT/scale.md is the result; figures of memory are of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.recall import views_between
from onboard.errors import InputError
from onboard.messages import Prior
from onboard.pack.index_search import smallest
from onboard.pack.index_shard import read_shard
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import read_manifest
from onboard.pack.shard_keeper import MEMORY_BYTES
from onboard.pack.tile_index import RECALL_NEAREST, unit_length
from onboard.retrieve import retrieve
from onboard.whole_file import make_folder, write_whole
from tools.map.scale_pack import LEVEL, real_descriptors, scale_pack
from tools.map.scale_table import write_table
from tools.map.scale_variants import variants

TILES = (10_000, 100_000, 1_000_000)
QUERIES = 300
SIGMAS_M = (30.0, 300.0, 3000.0)  # of priors: tracking, just lost, long lost
JITTER = 0.3  # length of what a view adds to the middle of two tiles, in random directions
GRAPH_MEMORY_BYTES = 2 << 30  # so much that graphs are used wherever there are some
ROOM_BYTES = 96 << 20  # for all but the index: stacks of threads, pieces of descriptors
SMALL_MEMORY_BYTES = 8 << 20  # of the pack that is larger than the memory
PIECE_TILES = 65_536
SEED = 2

Vectors = NDArray[np.float32]
Figures = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("out", type=Path, help="a folder; 10^6 tiles take 5 GB")
    parser.add_argument("--real", nargs="+", type=Path, required=True, help="packs to draw from")
    parser.add_argument("--tiles", nargs="+", type=int, default=TILES)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        study(args.out, args.real, tuple(args.tiles))
    except InputError as e:
        print(e, file=sys.stderr)
        return 2
    return 0


def study(out: Path, packs: list[Path], sizes: tuple[int, ...]) -> None:
    """Raises InputError: a pack that can't be read."""
    make_folder(out)
    real = real_descriptors(packs)
    kinds = {f"real, {real.shape[1]} numbers": real, "real, 64 numbers": unit_length(real[:, :64])}
    found: list[Figures] = []
    for tiles in sizes:
        for kind, vectors in {**kinds, "random, 64 numbers": None}.items():
            folder = out / f"{kind.replace(', ', '-').replace(' ', '-')}-{tiles}"
            found.append(measured(folder, kind, tiles, vectors))
            write_table(out / "scale.md", found)
            print(f"{kind}, {tiles} tiles: done", flush=True)


def measured(folder: Path, kind: str, tiles: int, real: Vectors | None) -> Figures:
    """The figures of one pack, measured or from an earlier run."""
    path = folder / "figures.json"
    if path.exists():
        figures: Figures = json.loads(path.read_text(encoding="utf-8"))
        return figures
    make_folder(folder)
    began = time.perf_counter()
    pack = scale_pack(folder / "scale.pack", tiles, 64 if real is None else real.shape[1], real)
    build_s = time.perf_counter() - began
    full = _full_descriptors(pack)
    queries = _queries(full)
    exact = _exact(full, queries)
    np.save(folder / "queries.npy", queries)
    manifest = read_manifest(pack)
    wanted = _tile_ids(pack)[exact]
    figures = {
        "kind": kind,
        "tiles": len(full),
        "build_s": build_s,
        "shards": len(manifest.shards),
        "lowest_recall": min(s.recall for s in manifest.shards),
        "disk_bytes": sum(f.size for f in manifest.files),
        "flight": _in_a_process(pack, folder / "queries.npy", wanted, MEMORY_BYTES),
        "with_graphs": _in_a_process(pack, folder / "queries.npy", wanted, GRAPH_MEMORY_BYTES),
        "small_memory": _in_a_process(pack, folder / "queries.npy", wanted, SMALL_MEMORY_BYTES),
        "variants": [vars(v) for v in variants(full, queries, exact, folder)],
    }
    write_whole(path, json.dumps(figures, indent=1))
    return figures


def _full_descriptors(pack: Path) -> NDArray[np.float16]:
    """(N, D) of all shards, one after the other."""
    shards = read_manifest(pack).shards
    return np.concatenate([np.load(pack / s.descriptors) for s in shards])


def _queries(full: NDArray[np.float16]) -> Vectors:
    """(Q, D): views between two tiles, with what else a view adds."""
    rng = np.random.default_rng(SEED)
    first = np.sort(rng.choice(len(full) - 1, QUERIES, replace=False))
    pairs = np.stack([first, first + 1], axis=1).reshape(-1)
    views = views_between(unit_length(full[pairs]), np.arange(0, 2 * QUERIES, 2))
    noise = rng.standard_normal(views.shape) * (JITTER / np.sqrt(views.shape[1]))
    return unit_length(views + noise)


def _exact(full: NDArray[np.float16], queries: Vectors) -> NDArray[np.intp]:
    """(Q, RECALL_NEAREST) positions of the nearest by all numbers in float32, best first."""
    best: list[list[tuple[float, int]]] = [[] for _ in queries]
    for start in range(0, len(full), PIECE_TILES):
        distances = 1.0 - queries @ unit_length(full[start : start + PIECE_TILES]).T
        for held, row in zip(best, distances, strict=True):
            near = smallest(row, RECALL_NEAREST)
            both = held + list(zip(row[near].tolist(), (start + near).tolist(), strict=True))
            held[:] = sorted(both)[:RECALL_NEAREST]
    return np.array([[position for _, position in held] for held in best], np.intp)


def _in_a_process(
    pack: Path, queries: Path, wanted: NDArray[np.int32], memory_bytes: int
) -> Figures:
    """wanted: (Q, RECALL_NEAREST, 2) columns and rows of the nearest tiles."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        figures: Figures = pool.apply(_fly, (pack, queries, memory_bytes))
    pairs = zip(figures.pop("found"), wanted.tolist(), strict=True)
    hits = sum(len(set(found) & {(col, row) for col, row in near}) for found, near in pairs)
    return {**figures, "recall": hits / (wanted.size / 2)}


def _fly(path: Path, queries_path: Path, memory_bytes: int) -> Figures:
    """In a process of its own, which may not take more memory than the index's and ROOM_BYTES."""
    cv2.setNumThreads(1)
    queries = np.load(queries_path)
    empty_bytes = _private_bytes()
    limit = _data_bytes() + memory_bytes + ROOM_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    pack = MapPack(path, read_manifest(path), memory_bytes)
    began = time.perf_counter()
    pack.index.warm()
    pack.index.wait()
    load_s = time.perf_counter() - began
    priors = _priors(pack, len(queries))
    with_prior = {}
    for sigma_m in SIGMAS_M:
        near = [Prior(lat, lon, sigma_m) for lat, lon in priors]
        for query, prior in zip(queries[:30], near[:30], strict=True):
            retrieve(pack, LEVEL, query, 10, prior)
        calls = zip(queries, near, strict=True)
        with_prior[f"{sigma_m:g}"], _ = _times(
            [lambda q=q, p=p: retrieve(pack, LEVEL, q, 10, p) for q, p in calls]
        )
    tracking_bytes = _private_bytes() - empty_bytes
    retrieve(pack, LEVEL, queries[0], 10)
    spent, answers = _times([lambda q=q: retrieve(pack, LEVEL, q, 10) for q in queries])
    return {
        "load_s": load_s,
        "with_prior": with_prior,
        "no_prior": spent,
        "found": [[(c.tile.col, c.tile.row) for c in answer] for answer in answers],
        "tracking_bytes": tracking_bytes,
        "lost_bytes": _private_bytes() - empty_bytes,
        "kept_bytes": pack.index.kept_bytes(),
        "codes_bytes": pack.index.codes_bytes(),
        "memory_bytes": memory_bytes,
        "uses_graphs": pack.index.uses_graphs(LEVEL),
    }


def _times(calls: list[Any]) -> tuple[dict[str, float], list[Any]]:
    """And the processor's time, all threads together: it is the same on a busy machine."""
    spent_ms, cpu_ms, answers = [], [], []
    for call in calls:
        began, cpu_began = time.perf_counter(), time.process_time()
        answers.append(call())
        cpu_ms.append((time.process_time() - cpu_began) * 1e3)
        spent_ms.append((time.perf_counter() - began) * 1e3)
    p50_ms, p99_ms = (float(v) for v in np.percentile(spent_ms, [50, 99]))
    return {
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
        "cpu_p99_ms": float(np.percentile(cpu_ms, 99)),
    }, answers


def _priors(pack: MapPack, count: int) -> list[tuple[float, float]]:
    """Along a flight from one corner to the other."""
    south, west, north, east = pack.bounds
    share = np.linspace(0.02, 0.98, count)
    return [(south + s * (north - south), west + s * (east - west)) for s in share.tolist()]


def _tile_ids(pack: Path) -> NDArray[np.int32]:
    """(N, 2) columns and rows of all tiles, one shard after the other."""
    manifest = read_manifest(pack)
    opened = [read_shard(pack, s, manifest.model.descriptor_dim) for s in manifest.shards]
    return np.concatenate([np.stack(o.tiles(np.arange(o.shard.count)), axis=1) for o in opened])


def _private_bytes() -> int:
    return _status("RssAnon")


def _data_bytes() -> int:
    return _status("VmData")


def _status(name: str) -> int:
    """proc(5): in kB of 1024 bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    sys.exit(main())
