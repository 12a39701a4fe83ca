"""fp32 encoder -> static int8 with Q/DQ nodes, calibrated on pictures of the kind it will see.

Which layers stay fp32 was measured on unifygeo-edge: convolutions over few channels, which
int8 makes slower and which see the picture's full range; and those that end in one channel,
the reliabilities, which int8 makes coarse for no gain.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from export.bundles.constant_folding import fold_constants
from export.bundles.cpu_rewrites import speed_up_for_cpu
from export.bundles.graph_file import picture_batch, read_graph
from export.bundles.parity_views import Pictures

FEWEST_CHANNELS = 32
PRODUCTS = ("Conv", "MatMul", "Gemm")


class Target(str, Enum):
    """CPU: unsigned activations, as VNNI and ONNX Runtime want them. TENSORRT: symmetric and
    signed, biases left alone, which is all that its parser takes."""

    CPU = "cpu"
    TENSORRT = "tensorrt"


EXTRA_OPTIONS = {
    Target.CPU: {},
    Target.TENSORRT: {
        "ActivationSymmetric": True,
        "WeightSymmetric": True,
        "QuantizeBias": False,
    },
}


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """One picture after another, of a graph whose batch is free or 1."""

    def __init__(self, pictures: Pictures, progress: Callable[[int, int], None]) -> None:
        self._pictures, self._progress, self._next = pictures, progress, 0

    def get_next(self) -> dict[str, Pictures] | None:
        if self._next == len(self._pictures):
            return None
        picture = self._pictures[self._next : self._next + 1]
        self._next += 1
        self._progress(self._next, len(self._pictures))
        return {"pictures": picture}


def quantize_graph(
    source: Path,
    out: Path,
    pictures: Pictures,
    target: Target = Target.CPU,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> int:
    """Writes the quantized graph to `out`; returns how many products became int8.

    pictures: (N,256,256,3) uint8 BGR to calibrate on. progress gets (pictures done, pictures).
    Raises InputError: `source` is no ONNX graph; ValueError: nothing in it to quantize,
    a fixed batch.
    """
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(None):
        prepared = Path(folder) / "prepared.onnx"
        model = read_graph(source)
        batch = picture_batch(model)
        if batch not in (None, 1):
            raise ValueError(
                f"{source.name} takes {batch} pictures at once; export it with --batch dynamic"
            )
        fold_constants(model)
        if target is Target.CPU:
            speed_up_for_cpu(model)
        onnx.save(model, prepared)
        quant_pre_process(str(prepared), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(prepared)
        products = [n.name for n in model.graph.node if n.op_type in PRODUCTS]
        kept = kept_in_fp32(model)
        if len(kept) == len(products):
            raise ValueError(f"{source.name} has no product that int8 would serve")
        quantize_static(
            str(prepared),
            str(out),
            _Calibration(pictures, progress),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8 if target is Target.CPU else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=list(PRODUCTS),
            nodes_to_exclude=kept,
            calibrate_method=CalibrationMethod.Percentile,  # better than the extremes, measured
            extra_options=EXTRA_OPTIONS[target],
        )
    return len(products) - len(kept)


def kept_in_fp32(model: onnx.ModelProto) -> list[str]:
    """Names of the products that are not quantized: over few channels or to a single one, and
    of two activations (attention)."""
    weights = {i.name: i.dims for i in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        if node.op_type in PRODUCTS:
            dims = weights.get(node.input[1])
            if dims is None or (
                node.op_type == "Conv" and (dims[1] < FEWEST_CHANNELS or dims[0] == 1)
            ):
                kept.append(node.name)
    return kept
