"""What this machine can do at most, by probes: products in fp32 and bytes moved per second."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from export.bundles.flops import Work
from export.bundles.graph_runs import session
from export.bundles.onnx_graph import OPSET, save_checked

GEMM_SIDE = 1024
COPIED_BYTES = 1 << 26  # beyond the caches
REPEATS = 10


@dataclass(frozen=True)
class Roofline:
    """The best of a few runs. bytes_per_s: read and written together."""

    flops_per_s: float
    bytes_per_s: float

    def attainable_flops_per_s(self, work: Work) -> float:
        """The roof above a graph's arithmetic intensity. Its bytes are an upper bound (without
        fusion), so that the roof is a lower one."""
        intensity = work.flops / (work.weight_bytes + work.activation_bytes)
        return min(self.flops_per_s, intensity * self.bytes_per_s)


def measure_roofline(threads: int) -> Roofline:
    """On the CPU with so many threads: a product of two GEMM_SIDE squares in ONNX Runtime, and
    a copy of COPIED_BYTES shared out to the threads."""
    return Roofline(_peak_flops_per_s(threads), _peak_bytes_per_s(threads))


def _peak_flops_per_s(threads: int) -> float:
    n = GEMM_SIDE
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "gemm",
        [value("a", TensorProto.FLOAT, [n, n])],
        [value("c", TensorProto.FLOAT, [n, n])],
        [numpy_helper.from_array(np.ones((n, n), np.float32), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gemm.onnx"
        save_checked(model, path)
        gemm = session(path, threads)
    a = np.ones((n, n), np.float32)
    return 2 * n**3 / _best_s(lambda: gemm.run(None, {"a": a}))


def _peak_bytes_per_s(threads: int) -> float:
    source = np.ones(COPIED_BYTES, np.uint8)
    target = np.empty_like(source)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        taken_s = _best_s(lambda: list(pool.map(lambda p: np.copyto(p[1], p[0]), parts)))
    return 2 * COPIED_BYTES / taken_s


def _best_s(call: Callable[[], object]) -> float:
    call()
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)
