"""Joins a descriptor's graph with the maps of a bundle that can locate.

GenGeo and GeoLink only describe; the coarse and fine maps, and the graphs that compare them,
come from a bundle that has them. One graph, one input, so that a backend runs both at once.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx

from export.bundles.constant_folding import fold_constants
from export.bundles.graph_file import read_graph
from export.bundles.graph_runs import OnnxRun
from export.bundles.onnx_graph import BATCH_AXIS

PICTURES = "pictures"
MAPS = ("coarse", "fine")
PREFIX = "locator/"


def join_with_locator(descriptor: onnx.ModelProto, locator: Path) -> onnx.ModelProto:
    """descriptor: `pictures` -> `descriptor`. locator: a model.onnx with the outputs `coarse`
    and `fine` too, whose own descriptor is left out. Returns `pictures` -> all three.

    Raises ValueError: the two don't take the same pictures, or the locator gives no maps;
    InputError: the locator is no ONNX graph.
    """
    whole = read_graph(locator)
    missing = {PICTURES, *MAPS} - {v.name for v in (*whole.graph.input, *whole.graph.output)}
    if missing:
        raise ValueError(f"{locator.name} has no {' and no '.join(sorted(missing))}")
    shapes = [_shape(m.graph.input[0])[1:] for m in (descriptor, whole)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"the locator takes pictures {shapes[1]}, the descriptor {shapes[0]}")
    fold_constants(whole)
    maps = onnx.utils.Extractor(whole).extract_model([PICTURES], list(MAPS))
    maps = onnx.compose.add_prefix(maps, PREFIX)
    for node in maps.graph.node:  # what both graphs share keeps its name
        node.input[:] = [PICTURES if n == PREFIX + PICTURES else n for n in node.input]
        node.output[:] = [
            n.removeprefix(PREFIX) if n[len(PREFIX) :] in MAPS else n for n in node.output
        ]
    joined = onnx.ModelProto()
    joined.CopyFrom(descriptor)
    joined.graph.node.extend(maps.graph.node)
    joined.graph.initializer.extend(maps.graph.initializer)
    answers = OnnxRun(locator)(np.zeros([1, *map(int, shapes[1])], np.uint8))
    for name in MAPS:  # by their true lengths: shape inference leaves some of them open
        shape = [None, *answers[name].shape[1:]]
        joined.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        )
    batch = _shape(descriptor.graph.input[0])[0]
    for value in joined.graph.output:
        _set_batch(value, batch)
    return joined


def set_batch(model: onnx.ModelProto, batch: int | None) -> None:
    """Fixes the first axis of all inputs and outputs, or frees it (None), in place."""
    for value in (*model.graph.input, *model.graph.output):
        _set_batch(value, BATCH_AXIS if batch is None else batch)


def _set_batch(value: onnx.ValueInfoProto, batch: int | str) -> None:
    dim = value.type.tensor_type.shape.dim[0]
    if isinstance(batch, str):
        dim.dim_param = batch
    else:
        dim.dim_value = batch


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    return [
        d.dim_value if d.HasField("dim_value") else d.dim_param
        for d in value.type.tensor_type.shape.dim
    ]
