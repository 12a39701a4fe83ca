"""Computes at export what an ONNX graph would compute from constants alone, every time."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

MAX_FOLDED_BYTES = 1 << 20  # what is larger (an expanded mask, say) is cheaper to compute
OPEN = -1  # stands for a length that is not known before the run: the batch


def fold_constants(model: onnx.ModelProto) -> None:
    """Turns, in place, every node that depends on constants only into an initializer: Constant
    nodes, 1/p of GeM, arithmetic on those axes of a shape that are fixed. Nodes with subgraphs
    stay as they are."""
    while _fold_once(model):
        pass


def _fold_once(model: onnx.ModelProto) -> bool:
    """Whether anything was folded; what follows from fixed axes shows in the next round."""
    graph = model.graph
    known = {i.name: i for i in graph.initializer}
    shapes = _shapes(model)
    measured = {n.output[0]: shapes.get(n.input[0]) for n in graph.node if n.op_type == "Shape"}
    results = {o.name for o in graph.output}
    kept = []
    for node in graph.node:
        folded = None
        if not results & set(node.output):
            folded = _value(model, node, known) or _fixed_axes(model, node, known, measured)
        if folded is None:
            kept.append(node)
        else:
            known[folded.name] = folded
    used = {name for node in kept for name in node.input} | results
    changed = len(kept) < len(graph.node)
    kept = [n for n in kept if used.intersection(n.output)]
    used = {name for node in kept for name in node.input}
    del graph.node[:], graph.initializer[:], graph.value_info[:]
    graph.node.extend(kept)
    graph.initializer.extend(i for i in known.values() if i.name in used)
    return changed


def _value(
    model: onnx.ModelProto, node: onnx.NodeProto, known: dict[str, onnx.TensorProto]
) -> onnx.TensorProto | None:
    """The node's single result when it follows from `known`, else None."""
    inputs = [name for name in node.input if name]
    if len(node.output) != 1 or any(name not in known for name in inputs):
        return None
    if node.op_type.startswith("Random") or any(a.HasField("g") for a in node.attribute):
        return None
    value = _evaluate(model, node, [known[name] for name in dict.fromkeys(inputs)])
    if value.nbytes > MAX_FOLDED_BYTES:
        return None
    return numpy_helper.from_array(value, node.output[0])


def _fixed_axes(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    known: dict[str, onnx.TensorProto],
    measured: dict[str, list[int] | None],
) -> onnx.TensorProto | None:
    """The result of picking fixed lengths out of a shape, else None."""
    if node.op_type not in ("Gather", "Slice"):
        return None
    shape = measured.get(node.input[0])
    rest = [name for name in node.input[1:] if name]
    if shape is None or any(name not in known for name in rest):
        return None
    lengths = numpy_helper.from_array(np.array(shape, np.int64), node.input[0])
    value = _evaluate(model, node, [lengths, *(known[name] for name in dict.fromkeys(rest))])
    return None if (value == OPEN).any() else numpy_helper.from_array(value, node.output[0])


def _evaluate(
    model: onnx.ModelProto, node: onnx.NodeProto, constants: list[onnx.TensorProto]
) -> np.ndarray:
    result = onnx.ValueInfoProto(name=node.output[0])
    alone = onnx.helper.make_graph([node], "constant", [], [result], constants)
    whole = onnx.helper.make_model(alone, opset_imports=model.opset_import)
    results: list[np.ndarray] = ReferenceEvaluator(whole).run(None, {})  # type: ignore[assignment]
    return np.asarray(results[0])


def _shapes(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Lengths of each tensor's axes as far as shape inference knows them, OPEN for others."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        v.name: [
            d.dim_value if d.HasField("dim_value") else OPEN for d in v.type.tensor_type.shape.dim
        ]
        for v in (*graph.value_info, *graph.input, *graph.output)
        if v.type.tensor_type.HasField("shape")
    }
