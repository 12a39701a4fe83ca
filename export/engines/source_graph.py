"""The ONNX graph that an engine is parsed from: the bundle's own, in the engine's precision."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import onnx

from export.bundles.mixed_precision import to_mixed_precision
from export.bundles.parity_views import Pictures
from export.bundles.quantize import Target, quantize_graph
from export.engines.tensorrt_builder import Precision
from onboard.errors import InputError

QUANTIZED_OPS = {"QuantizeLinear", "DequantizeLinear"}


ENCODER = "model.onnx"  # the graph that int8 serves; those that locate stay fp16


def source_graph(
    path: Path,
    precision: Precision,
    calibration: Pictures | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> bytes:
    """The graph at `path` as it is for fp32, or when it is quantized or mixed already; with
    explicit Casts around the heavy part for fp16; for int8 the encoder with symmetric Q/DQ,
    calibrated on pictures (N,256,256,3), the layers between them in fp32.

    Raises InputError: no ONNX file, weights beyond fp16, nothing to quantize.
    """
    try:
        model = onnx.load(path)
        if precision is Precision.FP32 or is_quantized(model) or is_mixed(model):
            return path.read_bytes()
        if precision is Precision.INT8 and path.name == ENCODER:
            assert calibration is not None
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / path.name
                quantize_graph(path, out, calibration, Target.TENSORRT, progress)
                return out.read_bytes()
        return bytes(to_mixed_precision(model).SerializeToString())
    except InputError:
        raise
    except ValueError as e:
        raise InputError(f"{path}: {e}") from e
    except Exception as e:  # the protobuf package's own classes
        raise InputError(f"{path}: not an ONNX model ({e}); get the bundle again") from e


def is_quantized(model: onnx.ModelProto) -> bool:
    return any(node.op_type in QUANTIZED_OPS for node in model.graph.node)


def is_mixed(model: onnx.ModelProto) -> bool:
    """Whether it computes in fp16 already: it casts to it, or holds such weights."""
    half = onnx.TensorProto.FLOAT16
    casts = (a.i for n in model.graph.node if n.op_type == "Cast" for a in n.attribute)
    return half in casts or any(i.data_type == half for i in model.graph.initializer)
