"""Whether a backend answers as the network did when the bundle was exported.

Fused kernels have been wrong in several TensorRT versions; one picture, whose answer the
bundle holds, tells before the flight. Takes one run of each graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.inference.contract import Graph
from onboard.model_bundle import ModelBundle

# What `pilotage export parity` demands of int8; the bundle's own limits are of floats.
INT8_MIN_COSINE = 0.95
MAPS = ("coarse", "fine")
SCORES_BY_SHIFT = ("coarse_heatmap", "heatmap", "scores")  # squares of odd side


def self_test(bundle: ModelBundle, graphs: Mapping[str, Graph], backend: str, int8: bool) -> None:
    """Compares with the bundle's stored answers, and runs the other graphs on this picture's
    maps. backend: for the message.

    Raises InputError: the bundle holds no self-test, or an answer is off, with the worst figure.
    """
    limits = bundle.self_test
    if limits is None:
        raise InputError(
            f"{bundle.path}: holds no self-test, without which only onnxruntime-cpu is trusted; "
            "export the bundle again with 'pilotage export onnx'"
        )
    path = bundle.path / limits.file
    try:
        with np.load(path, allow_pickle=False) as file:
            stored = dict(file)
        pictures = stored.pop("pictures")
        maps = [m for m in MAPS if f"{m}_sample" in stored]
        expected = {"descriptor": stored["descriptor"]} | {m: stored[f"{m}_sample"] for m in maps}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as e:
        raise InputError(f"{path}: not a self-test ({e}); get the bundle again") from e
    names = ["descriptor", *maps]
    answers = dict(zip(names, graphs["model.onnx"].run(names, {"pictures": pictures}), strict=True))
    steps = {"coarse": limits.coarse_step, "fine": limits.fine_step}
    min_cosine = INT8_MIN_COSINE if int8 else limits.min_cosine
    for name, right in expected.items():
        answer = answers[name]
        if name in steps:
            answer = answer[:, :, :: steps[name], :: steps[name]]
        wrong = _difference(right, answer, min_cosine, None if int8 else limits.atol)
        if wrong:
            raise _untrusted(backend, bundle, f"output '{name}' {wrong}")
    _check_location_graphs(bundle, graphs, answers, backend)


def _check_location_graphs(
    bundle: ModelBundle, graphs: Mapping[str, Graph], answers: dict[str, Any], backend: str
) -> None:
    """Compares the picture with itself: every answer must be finite, and every score by shift
    highest where nothing is shifted, in the middle."""
    feed = {f"{role}_{m}": answers[m] for role in ("view", "tile", "crop") for m in MAPS if
            m in answers}  # fmt: skip
    for file, graph in graphs.items():
        if file == "model.onnx":
            continue
        inputs = {n: feed[n] for n in graph.input_names}
        for name, answer in zip(
            graph.output_names, graph.run(graph.output_names, inputs), strict=True
        ):
            if not np.isfinite(answer).all():
                raise _untrusted(backend, bundle, f"output '{name}' is not finite")
            if name in SCORES_BY_SHIFT:
                side = answer.shape[-1]
                peak = int(answer.reshape(-1, side * side).mean(0, dtype=np.float64).argmax())
                if peak != side * side // 2:
                    what = f"output '{name}' does not find the picture in itself"
                    raise _untrusted(backend, bundle, what)


def _difference(
    right: NDArray[Any], answer: NDArray[Any], min_cosine: float, atol: float | None
) -> str | None:
    """A clause naming the figure that misses its limit; None when all are good."""
    if answer.shape != right.shape:
        return f"has shape {answer.shape} instead of {right.shape}"
    if not np.isfinite(answer).all():
        return "is not finite"
    a, b = right.ravel().astype(np.float64), answer.ravel().astype(np.float64)
    cosine = float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
    if not cosine >= min_cosine:  # a stored NaN is no answer to agree with
        return f"has cosine {cosine:.5f} with the stored answer, below {min_cosine}"
    error = float(np.abs(a - b).max()) / max(1.0, float(np.abs(a).max()) / 10)
    if atol is not None and not error <= atol:
        return f"differs from the stored answer by {error:.3g}, above {atol}"
    return None


def _untrusted(backend: str, bundle: ModelBundle, what: str) -> InputError:
    return InputError(
        f"{backend} answers wrongly for {bundle.path}: {what}; build the engine again or with "
        "another precision, or set the backend to onnxruntime-cpu"
    )
