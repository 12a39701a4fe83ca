"""An ONNX file of a bundle, read so that damage is one sentence."""

from __future__ import annotations

from pathlib import Path

import onnx

from onboard.errors import InputError


def read_graph(path: Path) -> onnx.ModelProto:
    """Raises InputError: no such file, cut short, not ONNX, without nodes."""
    try:
        model = onnx.load(path)
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror}); give a model bundle") from e
    except Exception as e:  # the protobuf package's own classes
        raise InputError(f"{path}: not an ONNX model, or cut short; get the bundle again") from e
    if not model.graph.node:
        raise InputError(f"{path}: an ONNX model without nodes; get the bundle again")
    return model


def picture_batch(model: onnx.ModelProto) -> int | None:
    """How many pictures an encoder takes at once, None for any number."""
    first = model.graph.input[0].type.tensor_type.shape.dim[0]
    return first.dim_value if first.HasField("dim_value") else None
