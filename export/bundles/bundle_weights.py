"""The trained weights of a small network, read back from its own bundle."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from onboard.errors import InputError
from onboard.model_bundle import ModelBundle


def bundle_weights(bundle: ModelBundle) -> dict[str, Tensor]:
    """Initializers of model.onnx by the names of the network's parameters, which the exporter
    keeps. The bundle's hashes were checked when it was loaded.

    Raises InputError when the file is no ONNX model.
    """
    path = bundle.path / "model.onnx"
    try:
        graph = onnx.load(path).graph
    except Exception as e:  # the protobuf package's own classes
        raise InputError(f"{path}: not an ONNX model ({e}); get the bundle again") from e
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    return {k: torch.from_numpy(np.array(v)) for k, v in arrays.items()}
