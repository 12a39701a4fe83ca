"""A PyTorch module into one checked ONNX file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from export.bundles.constant_folding import fold_constants
from export.bundles.graph_traps import find_traps
from export.bundles.parity import Answers

OPSET = 17  # the newest that TensorRT 8.6 (JetPack 6.0) parses; LayerNormalization is one node
IR_VERSION = 8  # of opset 17's time; ONNX Runtime 1.23 (the last for Python 3.10) reads up to 11
BATCH_AXIS = "batch"


def export_graph(
    path: Path,
    module: nn.Module,
    inputs: dict[str, Tensor],
    outputs: Sequence[str],
    dynamic: Collection[str] = (),
) -> Answers:
    """Traces `module` (eval mode, called with the inputs in their order) into the file `path`.

    dynamic: names of inputs and outputs whose first axis is free; all other axes are fixed.
    The TorchScript-based exporter is used: it alone writes a true opset 17. Returns the
    module's own answers to the inputs.

    Raises ValueError when the graph is not valid ONNX or holds one of the traps of
    graph_traps; OSError when the file can't be written.
    """
    with torch.no_grad():
        answers = module(*inputs.values())
    answers = answers if isinstance(answers, tuple) else (answers,)
    traced = io.BytesIO()  # not the disk: the exporter would write over what it can't finish
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter's age, and of shapes that are constant
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            traced,  # type: ignore[arg-type]
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={name: {0: BATCH_AXIS} for name in dynamic},
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load_from_string(traced.getvalue())
    fold_constants(model)
    for value, answer in zip(model.graph.output, answers, strict=True):
        for dim, length in list(zip(value.type.tensor_type.shape.dim, answer.shape, strict=True))[
            1:
        ]:
            dim.dim_value = length
    save_checked(model, path)
    return {name: answer.numpy() for name, answer in zip(outputs, answers, strict=True)}


def save_checked(model: onnx.ModelProto, path: Path) -> None:
    """Writes `model` with this project's opset and IR version after checking it.

    Raises ValueError: not valid ONNX, another opset, a trap; OSError: not writable.
    """
    model.ir_version = IR_VERSION
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as e:
        raise ValueError(f"{path.name} is not valid ONNX: {e}") from e
    opsets = {o.domain: o.version for o in model.opset_import}
    if opsets != {"": OPSET}:
        raise ValueError(f"{path.name} uses the operator sets {opsets}, not opset {OPSET} alone")
    traps = find_traps(model)
    if traps:
        raise ValueError(f"{path.name} must not be shipped: {'; '.join(traps)}")
    path.write_bytes(model.SerializeToString())
