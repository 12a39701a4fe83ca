"""Whether engines answer like the bundle's graphs in ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from export.bundles.parity import (
    FP16_LIMITS,
    FP32_LIMITS,
    INT8_LIMITS,
    Answers,
    Limits,
    Parity,
    compare,
    output_parity,
)
from export.bundles.parity_views import ParityViews, Pictures
from export.engines.tensorrt_builder import Precision
from onboard.inference.contract import Graph
from onboard.model_bundle import ModelBundle

LIMITS = {
    Precision.FP32: FP32_LIMITS,
    Precision.FP16: FP16_LIMITS,
    Precision.INT8: INT8_LIMITS,
}
LOCATED_TILES = 8  # compared with one view each, by the graphs that locate


class GraphRun:
    """An encoder behind any backend, as parity's Run."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __call__(self, pictures: Pictures) -> Answers:
        names = self._graph.output_names
        return dict(zip(names, self._graph.run(names, {"pictures": pictures}), strict=True))


def engine_failures(
    bundle: ModelBundle,
    reference: Mapping[str, Graph],
    engines: Mapping[str, Graph],
    views: ParityViews,
    precision: Precision,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> tuple[Parity, list[str]]:
    """The encoder's parity, and a clause per figure of any graph that misses its limit."""
    limits = LIMITS[precision]
    encoder = GraphRun(reference["model.onnx"])
    parity = compare(encoder, GraphRun(engines["model.onnx"]), views, progress)
    failures = parity.failures(limits)
    located = [name for name in bundle.graphs if name != "model.onnx"]
    if located:
        answers = encoder(views.gallery[: LOCATED_TILES + 1])
        for name in located:
            failures += _location_failures(name, reference[name], engines[name], answers, limits)
    return parity, failures


def _location_failures(
    name: str, reference: Graph, engine: Graph, answers: Answers, limits: Limits
) -> list[str]:
    """One view against the tiles; both sides get the same maps."""
    feed: Answers = {}
    for level in ("coarse", "fine"):
        maps = answers[level]
        feed |= {f"view_{level}": maps[:1], f"crop_{level}": maps[1:2], f"tile_{level}": maps[1:]}
    inputs = {n: feed[n] for n in reference.input_names}
    failures = []
    right = reference.run(reference.output_names, inputs)
    given = engine.run(reference.output_names, inputs)
    for output, a, b in zip(reference.output_names, right, given, strict=True):
        if not np.isfinite(b).all():
            failures.append(f"{name}: output '{output}' is not finite")
            continue
        figures = output_parity(a.reshape(len(a), -1), b.reshape(len(b), -1))
        if not figures.cosine >= limits.cosine:
            failures.append(
                f"{name}: output '{output}': cosine {figures.cosine:.6f} < {limits.cosine}"
            )
        if limits.max_abs is not None and not figures.max_abs <= limits.max_abs:
            failures.append(
                f"{name}: output '{output}' differs by {figures.max_abs:.2g} > {limits.max_abs:g}"
            )
    return failures
