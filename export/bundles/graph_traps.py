"""What is legal ONNX and still goes wrong in an engine: each known trap, found in a graph.

Origin of the list: tests with PyTorch 2.13 and ONNX Runtime 1.31, and the issue threads of
NVIDIA/TensorRT named at each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import numpy_helper

SMALLEST_NORMAL_FP16 = float(np.finfo(np.float16).smallest_normal)
# In fp16 these overflow, vanish or lose their eps (NVIDIA/TensorRT 2564, 3692, 3101, 4493).
FP32_ONLY = {
    *("LayerNormalization", "InstanceNormalization", "GlobalAveragePool"),
    *("Pow", "Exp", "Log", "Sqrt", "Reciprocal", "Sin", "Cos"),
    *("ReduceSum", "ReduceMean", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd"),
}
FORBIDDEN = {
    "ReduceLogSumExp": "TensorRT computes it without max shift, so that it overflows "
    "(NVIDIA/TensorRT 4772); write the shift out",
    "ScatterND": "build the tensor by concatenation instead of assigning to a slice",
    "ScatterElements": "build the tensor by concatenation instead of assigning to a slice",
}


def find_traps(model: onnx.ModelProto) -> list[str]:
    """One clause per trap: which node, what is wrong, what to do. Empty when there is none."""
    constants = {i.name: i for i in model.graph.initializer}
    made_by = {name: node for node in model.graph.node for name in node.output}
    half = half_tensors(model)
    return [
        f"node '{node.name}' ({node.op_type}): {why}"
        for node in model.graph.node
        for why in _traps(node, constants, made_by, half)
    ] + list(_free_axes(model))


def half_tensors(model: onnx.ModelProto) -> set[str]:
    """Names of all fp16 tensors, by shape inference."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {
        v.name
        for v in (*inferred.value_info, *inferred.input, *inferred.output)
        if v.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16
    } | {i.name for i in inferred.initializer if i.data_type == onnx.TensorProto.FLOAT16}


def _traps(
    node: onnx.NodeProto,
    constants: dict[str, onnx.TensorProto],
    made_by: dict[str, onnx.NodeProto],
    half: set[str],
) -> Iterator[str]:
    if node.op_type in FORBIDDEN:
        yield FORBIDDEN[node.op_type]
    if node.op_type == "Resize" and attribute(node, "mode") == b"cubic":
        yield "cubic resizing differs between runtimes; compute the table once, as a constant"
    if node.op_type == "Pow" and node.input[1] not in constants:
        yield "the power must be a constant"
    if node.op_type == "ReduceMean" and _is_square(made_by.get(node.input[0]), constants):
        yield "a LayerNorm written out; permute and use one LayerNormalization"
    if node.op_type in FP32_ONLY and half.intersection(node.input):
        yield "must run in fp32"
    for name in node.input:
        tensor = constants.get(name)
        if tensor is not None and tensor.data_type == onnx.TensorProto.FLOAT16:
            value = np.abs(numpy_helper.to_array(tensor).astype(np.float32))
            if value.size == 1 and 0 < value.max() < SMALLEST_NORMAL_FP16:
                yield f"its constant {value.max():.1g} is a subnormal in fp16, which engines flush"


def _is_square(node: onnx.NodeProto | None, constants: dict[str, onnx.TensorProto]) -> bool:
    if node is None:
        return False
    if node.op_type == "Mul":
        return bool(node.input[0] == node.input[1])
    exponent = constants.get(node.input[1]) if node.op_type == "Pow" else None
    return exponent is not None and bool(np.all(numpy_helper.to_array(exponent) == 2))


def _free_axes(model: onnx.ModelProto) -> Iterator[str]:
    for value in (*model.graph.input, *model.graph.output):
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if axis > 0 and not dim.HasField("dim_value"):
                yield f"'{value.name}': axis {axis} is free, only the batch may be"


def attribute(node: onnx.NodeProto, name: str) -> object:
    """An attribute's value, None when the node has none of that name."""
    found = [a for a in node.attribute if a.name == name]
    return onnx.helper.get_attribute_value(found[0]) if found else None
