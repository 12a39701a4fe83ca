"""Computes at export what an ONNX graph would compute from constants alone, every time."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

MAX_FOLDED_BYTES = 1 << 20  # what is larger (an expanded mask, say) is cheaper to compute


def fold_constants(model: onnx.ModelProto) -> None:
    """Turns, in place, every node that depends on constants only into an initializer:
    Constant nodes, 1/p of GeM, shape arithmetic. Nodes with subgraphs stay as they are."""
    graph = model.graph
    known = {i.name: i for i in graph.initializer}
    results = {o.name for o in graph.output}
    kept = []
    for node in graph.node:
        folded = _value(model, node, known) if not results & set(node.output) else None
        if folded is None:
            kept.append(node)
        else:
            known[folded.name] = folded
    used = {name for node in kept for name in node.input}
    del graph.node[:]
    graph.node.extend(kept)
    del graph.initializer[:]
    graph.initializer.extend(i for i in known.values() if i.name in used)


def _value(
    model: onnx.ModelProto, node: onnx.NodeProto, known: dict[str, onnx.TensorProto]
) -> onnx.TensorProto | None:
    """The node's single result when it follows from `known`, else None."""
    inputs = [name for name in node.input if name]
    if len(node.output) != 1 or any(name not in known for name in inputs):
        return None
    if any(
        a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for a in node.attribute
    ):
        return None
    if node.op_type.startswith("Random"):
        return None
    alone = onnx.helper.make_graph(
        [node],
        "constant",
        [],
        [onnx.ValueInfoProto(name=node.output[0])],
        [known[name] for name in dict.fromkeys(inputs)],
    )
    (value,) = ReferenceEvaluator(
        onnx.helper.make_model(alone, opset_imports=model.opset_import)
    ).run(None, {})
    value = np.asarray(value)
    if value.nbytes > MAX_FOLDED_BYTES:
        return None
    return numpy_helper.from_array(value, node.output[0])
