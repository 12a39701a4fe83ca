"""A PyTorch module and an ONNX file as the same plain call, so that they can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from export.bundles.parity import Answers
from export.bundles.parity_views import Pictures
from onboard.errors import InputError


class TorchRun:
    """A module as parity's Run: one picture input, outputs named in their order."""

    def __init__(self, module: nn.Module, outputs: Sequence[str]) -> None:
        self._module = module.eval()
        self._outputs = outputs

    @torch.no_grad()
    def __call__(self, pictures: Pictures) -> Answers:
        answers = self._module(torch.from_numpy(pictures))
        answers = answers if isinstance(answers, tuple) else (answers,)
        return {n: a.float().numpy() for n, a in zip(self._outputs, answers, strict=True)}


class OnnxRun:
    """An ONNX file with the one input `pictures` as parity's Run. A graph of a fixed batch is
    fed batch by batch, the last one filled up. Raises InputError: can't be loaded."""

    def __init__(self, path: Path, threads: int = 0) -> None:
        self._session = session(path, threads)
        (picture_input,) = self._session.get_inputs()
        self._name = picture_input.name
        self._batch = picture_input.shape[0]
        self._outputs = [o.name for o in self._session.get_outputs()]

    def __call__(self, pictures: Pictures) -> Answers:
        if not isinstance(self._batch, int):
            return self._run(pictures)
        parts = []
        for start in range(0, len(pictures), self._batch):
            part = pictures[start : start + self._batch]
            missing = self._batch - len(part)
            parts.append(self._run(np.concatenate([part, part[:1].repeat(missing, 0)])))
        return {n: np.concatenate([p[n] for p in parts])[: len(pictures)] for n in self._outputs}

    def _run(self, pictures: Pictures) -> Answers:
        answers = self._session.run(self._outputs, {self._name: pictures})
        return dict(zip(self._outputs, answers, strict=True))


def run_graph(path: Path, inputs: dict[str, Tensor]) -> Answers:
    """All outputs of an ONNX file for one set of inputs. Raises InputError: can't be loaded."""
    opened = session(path)
    names = [o.name for o in opened.get_outputs()]
    answers = opened.run(names, {name: x.detach().numpy() for name, x in inputs.items()})
    return dict(zip(names, answers, strict=True))


def session(path: Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the CPU; threads: 0 takes all cores. Raises InputError: can't be loaded."""
    options = onnxruntime.SessionOptions()
    # as in flight; and of two graphs timed in turns one's spinning threads would slow the other
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as e:  # ONNX Runtime raises classes of its own without a common parent
        raise InputError(
            f"{path}: ONNX Runtime can't load it ({' '.join(str(e).split())}); get the bundle again"
        ) from e
