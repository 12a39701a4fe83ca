"""Speed, memory and work of a bundle's encoder on a backend, batch by batch."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.bundles.flops import count_work
from export.bundles.graph_file import picture_batch, read_graph
from export.bundles.parity_views import Pictures, world_views
from export.bundles.roofline import Roofline, measure_roofline
from export.bundles.timing import time_calls
from onboard.errors import BackendError, InputError
from onboard.inference.choose import open_graphs
from onboard.inference.contract import Backend
from onboard.model_bundle import load_bundle

REPEATS = 100
CPU_ONLY = (Backend.ONNXRUNTIME_CPU,)


@dataclass(frozen=True)
class BenchRow:
    """peak_bytes: what loading and running added to the process at most (on the host).
    roofline_share: of what this CPU could do at the graph's arithmetic intensity; None on
    other devices."""

    backend: str
    batch: int
    median_ms: float
    p99_ms: float
    pictures_per_s: float
    peak_bytes: int
    flops_per_picture: int
    bytes_per_picture: int
    gflops_per_s: float
    roofline_share: float | None


def bench(
    path: Path, backend: Backend, batch: int, threads: int, repeats: int = REPEATS
) -> tuple[BenchRow, Roofline | None]:
    """One row, measured in a fresh process so that memory is this row's alone; and the roof,
    probed in the same process right after.

    Raises InputError: the bundle can't be loaded, takes another batch, or the backend can't be
    had; BackendError: the process was killed, as when memory runs out.
    """
    own = picture_batch(read_graph(path / "model.onnx"))
    if own not in (None, batch):
        raise InputError(f"{path}: takes {own} pictures at once, not {batch}; give --batch {own}")
    pictures = world_views(gallery=batch, queries=1).gallery
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(_bench_here, path, backend, pictures, threads, repeats).result()
        except BrokenProcessPool as e:
            raise BackendError(
                f"{path}: the measuring process was killed at batch {batch} on {backend.value}, "
                "perhaps for want of memory; give a smaller --batch"
            ) from e
        except ValueError as e:
            raise InputError(
                f"{path}: can't be timed: {e}; give a bundle that takes pictures of 256 px"
            ) from e


def _bench_here(
    path: Path, backend: Backend, pictures: Pictures, threads: int, repeats: int
) -> tuple[BenchRow, Roofline | None]:
    bundle = load_bundle(path, for_flight=False)
    batch = len(pictures)
    before = _start_of_peak()
    opened = open_graphs(bundle, backend, threads)
    encoder = opened.graphs["model.onnx"]
    feed: dict[str, Any] = {"pictures": pictures}
    (timing,) = time_calls([lambda: encoder.run(encoder.output_names, feed)], repeats)
    peak = _peak_bytes() - before
    work = count_work(read_graph(bundle.path / "model.onnx"), batch)
    roof = measure_roofline(threads) if backend in CPU_ONLY else None
    flops_per_s = work.flops / timing.median_s
    row = BenchRow(
        backend=opened.said,
        batch=batch,
        median_ms=timing.median_s * 1e3,
        p99_ms=timing.p99_s * 1e3,
        pictures_per_s=batch / timing.median_s,
        peak_bytes=peak,
        flops_per_picture=work.flops // batch,
        bytes_per_picture=(work.weight_bytes + work.activation_bytes) // batch,
        gflops_per_s=flops_per_s / 1e9,
        roofline_share=flops_per_s / roof.attainable_flops_per_s(work) if roof else None,
    )
    return row, roof


def all_threads() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _start_of_peak() -> int:
    """Memory of this process now, in bytes, from which on Linux counts the peak anew."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status_bytes("VmRSS")


def _peak_bytes() -> int:
    return _status_bytes("VmHWM")


def _status_bytes(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"this kernel's /proc/self/status has no {key}")
