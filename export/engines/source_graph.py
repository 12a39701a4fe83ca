"""The ONNX graph that an engine is parsed from: the bundle's own, in the engine's precision."""

from __future__ import annotations

from pathlib import Path

import onnx

from export.bundles.mixed_precision import to_mixed_precision
from export.engines.tensorrt_builder import Precision
from onboard.errors import InputError

QUANTIZED_OPS = {"QuantizeLinear", "DequantizeLinear"}


def source_graph(path: Path, precision: Precision) -> bytes:
    """The graph at `path` as it is for fp32; with explicit Casts around the heavy part for
    fp16; for int8 its Q/DQ as they are, and Casts where a graph has none (those that locate
    are not quantized).

    Raises InputError: no ONNX file, weights beyond fp16.
    """
    try:
        model = onnx.load(path)
        if precision is Precision.FP32 or is_quantized(model) or is_mixed(model):
            return path.read_bytes()
        return bytes(to_mixed_precision(model).SerializeToString())
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
