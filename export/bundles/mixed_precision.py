"""An fp32 graph -> one whose heavy part runs in fp16, by explicit Casts.

Engines from TensorRT 11 on take precision from the graph alone (strong typing), 10.x can.
Three classes of nodes: matrix products and convolutions pull their inputs to fp16; layout
and plain arithmetic keep what flows into them; everything else (norms, powers, exponentials,
sums: so Sinkhorn, GeM, L2) is fp32, with Casts at the border. A softmax stays in fp16 where it
is an attention's; over the cells of a heatmap it is fp32.
"""

from __future__ import annotations

from enum import Enum

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bundles.flops import with_batch
from export.bundles.graph_traps import SMALLEST_NORMAL_FP16, attribute

LARGEST_FP16 = float(np.finfo(np.float16).max)
MAX_FP16_SOFTMAX = 4096  # entries; attention at 448 px has 1025, a heatmap 147,456
PULLING = {"Conv", "ConvTranspose", "Gemm", "MatMul"}
ARITHMETIC = {"Add", "Sub", "Mul", "Div"}
BOUNDED = {"Erf", "Sigmoid", "Tanh", "Softmax"}  # results within -1..1: safe to multiply by
FLOWING = {
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Identity"),
    *("Concat", "Slice", "Split", "Gather", "Pad", "DepthToSpace", "SpaceToDepth"),
    *("Relu", "Clip", "MaxPool", "Resize"),
    *ARITHMETIC,
    *BOUNDED,
}
TYPED_INPUTS = {"Resize": 1, "Slice": 1, "Gather": 1, "Reshape": 1, "Expand": 1}  # others: all


class Precision(str, Enum):
    """What an encoder's graph computes in; MIXED: products and convolutions in fp16."""

    FP32 = "fp32"
    MIXED = "mixed"


def to_mixed_precision(model: onnx.ModelProto) -> onnx.ModelProto:
    """A new model with the same inputs and outputs, types included. Raises ValueError when a
    weight does not fit into fp16."""
    return _Converter(model).converted()


class _Converter:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = onnx.ModelProto()
        self._model.CopyFrom(model)
        graph = with_batch(model, 1).graph
        self._types = {
            v.name: v.type.tensor_type for v in (*graph.value_info, *graph.input, *graph.output)
        }
        self._constants = {i.name: i for i in graph.initializer}
        self._half: set[str] = set()  # tensors that are fp16 under their own name
        self._bounded: set[str] = set()
        self._cast: dict[tuple[str, int], str] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._made: list[onnx.TensorProto] = []

    def converted(self) -> onnx.ModelProto:
        graph = self._model.graph
        results = {o.name for o in graph.output}
        for node in graph.node:
            half = self._runs_in_half(node)
            for i in self._float_inputs(node):
                kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
                node.input[i] = self._as(node.input[i], kind)
            outputs = list(node.output)
            self._nodes.append(node)
            if not half:
                continue
            for i, name in enumerate(outputs):
                if name in results:  # keeps its name and type for whoever runs the graph
                    node.output[i] = f"{name}/fp16"
                    self._nodes.append(_cast_node(node.output[i], name, TensorProto.FLOAT))
                else:
                    self._half.add(name)
        del graph.node[:], graph.value_info[:]
        graph.node.extend(self._nodes)
        used = {name for node in graph.node for name in node.input}
        kept = [i for i in (*graph.initializer, *self._made) if i.name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept)
        return self._model

    def _runs_in_half(self, node: onnx.NodeProto) -> bool:
        if node.op_type in PULLING:
            return True
        if node.op_type not in FLOWING:
            return False
        names = [node.input[i] for i in self._float_inputs(node)]
        data = [n for n in names if n not in self._constants]
        constants = [n for n in names if n in self._constants]
        if not data or not all(n in self._half for n in data):
            return False
        if not all(_fits(self._constants[n]) for n in constants):
            return False
        if node.op_type == "Softmax" and not self._is_short(node):
            return False
        if node.op_type == "Div" and node.input[1] not in self._constants:
            return False
        if node.op_type == "Mul" and len(data) == 2 and not self._bounded.intersection(data):
            return False
        if node.op_type in BOUNDED or (
            node.op_type in ARITHMETIC and len(data) == 1 and data[0] in self._bounded
        ):
            self._bounded.update(node.output)
        return True

    def _is_short(self, node: onnx.NodeProto) -> bool:
        tensor = self._types.get(node.input[0])
        if tensor is None or not tensor.shape.dim:
            return False
        axis = attribute(node, "axis")
        length = tensor.shape.dim[axis if isinstance(axis, int) else -1].dim_value
        return bool(0 < length <= MAX_FP16_SOFTMAX)

    def _float_inputs(self, node: onnx.NodeProto) -> list[int]:
        """Positions of the inputs that share the node's floating-point type."""
        return [
            i
            for i, name in enumerate(node.input[: TYPED_INPUTS.get(node.op_type)])
            if self._is_float(name)
        ]

    def _is_float(self, name: str) -> bool:
        if name in self._constants:
            return bool(self._constants[name].data_type == TensorProto.FLOAT)
        return name in self._types and self._types[name].elem_type == TensorProto.FLOAT

    def _as(self, name: str, kind: int) -> str:
        """The name under which a floating-point tensor is to be had as `kind`."""
        if (name in self._half) == (kind == TensorProto.FLOAT16) and name not in self._constants:
            return name
        if name in self._constants and kind == TensorProto.FLOAT:
            return name
        if (name, kind) not in self._cast:
            made = f"{name}/{'fp16' if kind == TensorProto.FLOAT16 else 'fp32'}"
            self._cast[name, kind] = made
            if name in self._constants:
                self._made.append(_half_constant(self._constants[name], made))
            else:
                self._nodes.append(_cast_node(name, made, kind))
        return self._cast[name, kind]


def _cast_node(source: str, result: str, kind: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], name=f"Cast/{result}", to=kind)


def _fits(tensor: onnx.TensorProto) -> bool:
    """Whether fp16 holds a constant: no overflow, and a lone number is no subnormal."""
    value = np.abs(numpy_helper.to_array(tensor).astype(np.float64))
    if value.size == 0:
        return True
    subnormal = value.size == 1 and 0 < value.max() < SMALLEST_NORMAL_FP16
    return bool(value.max() <= LARGEST_FP16) and not subnormal


def _half_constant(tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
    value = numpy_helper.to_array(tensor)
    if value.size and float(np.abs(value).max()) > LARGEST_FP16:
        raise ValueError(
            f"weight '{tensor.name}' reaches {np.abs(value).max():.3g}, more than fp16 holds; "
            "export with --precision fp32"
        )
    return numpy_helper.from_array(value.astype(np.float16), name)
