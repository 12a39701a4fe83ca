"""The same sums in forms that ONNX Runtime computes faster on a CPU.

Its reductions over the channels of a map and its power are not vectorised: in unifygeo-edge
they take a quarter as long as the quantized convolutions.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from export.bundles.flops import with_batch
from export.bundles.graph_traps import attribute

CHANNEL_AXIS = 1
MAP_AXES = 4  # (N,C,h,w)
FEW_CHANNELS = 4  # a picture's; so many are combined one by one
COMBINED = {"ReduceSum": "Sum", "ReduceMean": "Mean", "ReduceMax": "Max"}


def speed_up_for_cpu(model: onnx.ModelProto) -> None:
    """Rewrites in place: sum, mean and maximum over the few channels of a picture as one node
    over them all; sum and mean over many as a 1x1 convolution; a power with constant exponent
    over a map as exp(p log x). Answers differ by rounding only; a base must be positive, as
    GeM's is."""
    graph = model.graph
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in with_batch(model, 1).graph.value_info
    }
    constants = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        shape = shapes.get(node.input[0], []) if node.input else []
        if _reduces_channels(node, shape, constants):
            if shape[CHANNEL_AXIS] <= FEW_CHANNELS:
                nodes += _combined(node, shape[CHANNEL_AXIS])
            elif node.op_type != "ReduceMax":
                nodes.append(_as_convolution(graph, node, shape[CHANNEL_AXIS]))
            else:
                nodes.append(node)
        elif node.op_type == "Pow" and len(shape) > 2 and node.input[1] in constants:
            nodes += _as_exponential(node)
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _reduces_channels(
    node: onnx.NodeProto, shape: list[int], constants: dict[str, np.ndarray]
) -> bool:
    if node.op_type not in COMBINED or len(shape) != MAP_AXES:
        return False
    given = constants.get(node.input[1]) if len(node.input) > 1 else attribute(node, "axes")
    axes = [] if given is None else [int(a) for a in np.ravel(np.asarray(given))]
    return axes == [CHANNEL_AXIS] and attribute(node, "keepdims") != 0


def _combined(node: onnx.NodeProto, channels: int) -> list[onnx.NodeProto]:
    parts = [f"{node.output[0]}/channel_{k}" for k in range(channels)]
    return [
        helper.make_node("Split", node.input[:1], parts, name=parts[0], axis=CHANNEL_AXIS),
        helper.make_node(COMBINED[node.op_type], parts, node.output, name=node.name),
    ]


def _as_convolution(graph: onnx.GraphProto, node: onnx.NodeProto, channels: int) -> onnx.NodeProto:
    share = 1.0 if node.op_type == "ReduceSum" else 1.0 / channels
    weight = f"{node.output[0]}/weight"
    values = np.full((1, channels, 1, 1), share, np.float32)
    graph.initializer.append(numpy_helper.from_array(values, weight))
    return helper.make_node("Conv", [node.input[0], weight], node.output, name=node.name)


def _as_exponential(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    log, scaled = f"{node.output[0]}/log", f"{node.output[0]}/scaled"
    return [
        helper.make_node("Log", [node.input[0]], [log], name=log),
        helper.make_node("Mul", [log, node.input[1]], [scaled], name=scaled),
        helper.make_node("Exp", [scaled], node.output, name=node.name),
    ]
