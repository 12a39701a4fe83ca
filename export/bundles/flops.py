"""Work of one pass through an ONNX graph, counted from its shapes.

A multiply-add is two operations. Counted: convolutions, transposed convolutions, matrix
products. Everything else (activations, norms, softmax) is below a few per cent of these
networks and counts as zero operations, but its bytes count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx

from export.bundles.graph_traps import attribute

Shape = tuple[int, ...]
COSTLESS = {"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Shape", "Constant"}
ELEMENT_BYTES = {
    onnx.TensorProto.FLOAT: 4,
    onnx.TensorProto.FLOAT16: 2,
    onnx.TensorProto.BFLOAT16: 2,
    onnx.TensorProto.INT8: 1,
    onnx.TensorProto.UINT8: 1,
    onnx.TensorProto.BOOL: 1,
    onnx.TensorProto.INT32: 4,
    onnx.TensorProto.INT64: 8,
    onnx.TensorProto.DOUBLE: 8,
}


@dataclass(frozen=True)
class Work:
    """flops: of one pass. weight_bytes: all initializers, read once. activation_bytes: what
    the nodes read and write besides, without fusion: an upper bound. parameters: numbers
    held in floating-point or 8-bit initializers."""

    flops: int
    weight_bytes: int
    activation_bytes: int
    parameters: int


def count_work(model: onnx.ModelProto, batch: int = 1) -> Work:
    """Counts with the free batch axis set to `batch`.

    Raises ValueError naming the node when a shape that is needed stays unknown.
    """
    graph = with_batch(model, batch).graph
    shapes: dict[str, Shape] = {}
    sizes: dict[str, int] = {}
    for value in (*graph.value_info, *graph.input, *graph.output):
        tensor = value.type.tensor_type
        if all(d.HasField("dim_value") for d in tensor.shape.dim):
            shapes[value.name] = tuple(d.dim_value for d in tensor.shape.dim)
            sizes[value.name] = ELEMENT_BYTES.get(tensor.elem_type, 4)
    weights = {i.name: i for i in graph.initializer}
    for name, tensor in weights.items():
        shapes[name] = tuple(tensor.dims)
        sizes[name] = ELEMENT_BYTES.get(tensor.data_type, 4)
    flops = activation_bytes = 0
    for node in graph.node:
        flops += _flops(node, shapes)
        if node.op_type not in COSTLESS:
            moving = [n for n in (*node.input, *node.output) if n in shapes and n not in weights]
            activation_bytes += sum(math.prod(shapes[n]) * sizes[n] for n in moving)
    counted = [i for i in graph.initializer if i.data_type != onnx.TensorProto.INT64]
    return Work(
        flops=flops,
        weight_bytes=sum(math.prod(shapes[i.name]) * sizes[i.name] for i in counted),
        activation_bytes=activation_bytes,
        parameters=sum(math.prod(shapes[i.name]) for i in counted),
    )


def with_batch(model: onnx.ModelProto, batch: int) -> onnx.ModelProto:
    """A copy whose free batch axis is fixed, with all shapes that follow from it."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for value in (*fixed.graph.input, *fixed.graph.output):
        dims = value.type.tensor_type.shape.dim
        if dims and not dims[0].HasField("dim_value"):
            dims[0].dim_value = batch
    del fixed.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(fixed, data_prop=True)


def _flops(node: onnx.NodeProto, shapes: dict[str, Shape]) -> int:
    if node.op_type not in ("Conv", "ConvTranspose", "MatMul", "Gemm"):
        return 0
    try:
        first, second = shapes[node.input[0]], shapes[node.input[1]]
        out = shapes[node.output[0]]
    except KeyError as e:
        raise ValueError(f"node '{node.name}' ({node.op_type}): shape of {e} is unknown") from e
    if node.op_type == "Conv":
        return 2 * math.prod(out) * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return 2 * math.prod(first) * math.prod(second[1:])
    if node.op_type == "Gemm":
        inner = first[0] if attribute(node, "transA") else first[1]
        return 2 * math.prod(out) * inner
    return 2 * math.prod(out) * first[-1]
