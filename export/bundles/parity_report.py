"""What `pilotage export parity` compares: the two sides, and the limits that hold for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from export.bundles.bundle_folder import INFO_NAME
from export.bundles.graph_runs import OnnxRun, TorchRun
from export.bundles.mixed_precision import Precision
from export.bundles.parity import (
    FP16_LIMITS,
    FP32_LIMITS,
    INT8_LIMITS,
    Answers,
    Limits,
    Run,
)
from export.bundles.parity_views import Pictures
from export.bundles.preprocessing import descriptor_network
from export.networks.registry import Views, load_network, network_entry
from onboard.errors import InputError
from onboard.inference.choose import open_graphs
from onboard.inference.contract import Backend
from onboard.model_bundle import Kind, ModelBundle, load_bundle


def runs_of(
    bundle: ModelBundle,
    checkpoint: Path | None = None,
    model: str | None = None,
    size_px: int | None = None,
    other: Path | None = None,
    backend: str | None = None,
) -> tuple[Run, Run, str]:
    """Reference, candidate (of the outputs that the reference has), and the reference in words.
    One of checkpoint (with the network's name), other (a bundle) and backend is given.

    Raises InputError: a cross-view bundle, weights or a backend that can't be had.
    """
    if bundle.kind is Kind.CROSS_VIEW:
        raise InputError(
            f"{bundle.path}: a cross-view bundle is compared when it is exported; "
            "export it again to compare it"
        )
    own = OnnxRun(bundle.path / "model.onnx")
    if checkpoint is not None:
        if model is None:
            raise InputError("--checkpoint needs --model, the name of its network")
        if network_entry(model).views is not Views.OVERHEAD:
            raise InputError(f"--model {model}: has no bundle that describes alone")
        network = load_network(model, checkpoint, size_px)
        side = size_px or network_entry(model).default_size_px
        run = TorchRun(descriptor_network(network, side), ["descriptor"])
        return run, only(own, ["descriptor"]), checkpoint.name
    if other is not None:
        reference = load_bundle(other, for_flight=False)
        return OnnxRun(reference.path / "model.onnx"), own, reference.id
    known = [b.value for b in Backend if b is not Backend.AUTO]  # auto may be the reference
    if backend not in known:
        raise InputError(f"--backend {backend}: no such backend; known are {', '.join(known)}")
    opened = open_graphs(bundle, Backend(backend))
    graph = opened.graphs["model.onnx"]

    def on_backend(pictures: Pictures) -> Answers:
        names = graph.output_names
        return dict(zip(names, graph.run(names, {"pictures": pictures}), strict=True))

    return own, on_backend, f"{opened.said} (reference: ONNX Runtime on the CPU)"


def only(run: Run, outputs: Sequence[str]) -> Run:
    """The same with these outputs alone."""
    return lambda pictures: {n: a for n, a in run(pictures).items() if n in outputs}


def limits_of(bundle: ModelBundle, backend: str | None) -> Limits:
    """By the precision that model.json states; a GPU's engines may be fp16."""
    info = json.loads((bundle.path / INFO_NAME).read_text(encoding="utf-8"))
    precision = info.get("precision", Precision.FP32.value)
    if precision == "int8":
        return INT8_LIMITS
    if precision == Precision.MIXED.value or backend == Backend.TENSORRT.value:
        return FP16_LIMITS
    return FP32_LIMITS
