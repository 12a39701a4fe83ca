"""A bundle -> the same with its encoder in int8, measured against it on other pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.bundles.bundle_folder import INFO_NAME, new_bundle, write_info
from export.bundles.graph_runs import OnnxRun
from export.bundles.parity import INT8_LIMITS, Parity, compare
from export.bundles.parity_views import ParityViews
from export.bundles.quantize import Target, quantize_graph
from export.bundles.self_test_record import write_self_test
from export.bundles.timing import Timing, time_calls
from onboard.model_bundle import ModelBundle

TIMED_CALLS = 50


@dataclass(frozen=True)
class Quantized:
    """products: how many became int8. fp32, int8: of one picture."""

    products: int
    parity: Parity
    fp32: Timing
    int8: Timing

    @property
    def speed_up(self) -> float:
        return self.fp32.median_s / self.int8.median_s


def write_quantized_bundle(
    bundle: ModelBundle,
    out: Path,
    views: ParityViews,
    target: Target = Target.CPU,
    threads: int = 0,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Quantized:
    """Calibrates on every other picture of the gallery, compares on the rest, times both side
    by side. progress gets (pictures calibrated on, all).

    Raises ValueError: INT8_LIMITS missed, or nothing to quantize; InputError: a damaged graph,
    disk full. In either case `out` is left as it was.
    """
    source = bundle.path / "model.onnx"
    unseen = ParityViews(views.gallery[1::2], views.queries, views.source)
    with new_bundle(out) as work:
        path = work / "model.onnx"
        products = quantize_graph(source, path, views.gallery[::2], target, progress)
        runs = OnnxRun(source, threads), OnnxRun(path, threads)
        parity = compare(*runs, unseen)
        if failures := parity.failures(INT8_LIMITS):
            raise ValueError("; ".join(failures))
        picture = unseen.gallery[:1]
        fp32, int8 = time_calls([lambda r=r: r(picture) for r in runs], TIMED_CALLS)  # type: ignore[misc]
        done = Quantized(products, parity, fp32, int8)
        for name in bundle.graphs:
            if name != "model.onnx":
                shutil.copyfile(bundle.path / name, work / name)
        info: dict[str, Any] = json.loads((bundle.path / INFO_NAME).read_text(encoding="utf-8"))
        info |= {
            "id": f"{bundle.id}-int8",
            "precision": "int8",
            "quantized_for": target.value,
            "quantized_from": {"id": bundle.id, "sha256": bundle.sha256},
            "quantized_products": products,
            "parity": parity.as_json(),
            "speed_up_here": round(done.speed_up, 2),
            "selftest": write_self_test(work, picture[0], runs[1](picture)),
        }
        info.pop("parity_max_abs", None)
        write_info(work, info)
    return done
