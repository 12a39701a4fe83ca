"""A network that gives descriptor and both maps -> the bundle that flies."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from export.bundles.bundle_folder import new_bundle, write_info
from export.bundles.graph_runs import OnnxRun, TorchRun
from export.bundles.location_graphs import LOCATION_GRAPHS, decoder_for, export_location_graphs
from export.bundles.onnx_graph import OPSET, export_graph
from export.bundles.parity import FP32_LIMITS, compare
from export.bundles.parity_views import PICTURE_PX, world_views
from export.bundles.self_test_record import write_self_test
from export.networks.map_matching import HeatmapDecoder
from export.networks.unifygeo_edge import (
    COARSE_CHANNELS,
    COARSE_STRIDE,
    DESCRIPTOR_DIM,
    FINE_CHANNELS,
    FINE_STRIDE,
    UnifyGeoEdge,
)
from onboard.model_bundle import ModelBundle

INPUT_PX = PICTURE_PX
ENCODER_OUTPUTS = ("descriptor", "coarse", "fine")


def write_bundle(
    out: Path,
    model_id: str,
    network: UnifyGeoEdge,
    decoder: HeatmapDecoder | ModelBundle,
    facts: dict[str, Any],
) -> dict[str, float]:
    """Exports, compares ONNX Runtime with PyTorch, and puts the bundle in place.

    decoder: a trained one, or the bundle whose encoder `network` shares, for its own graphs.
    facts (training sets, starting weights, licence, ...) go into model.json. Returns the
    parity figures, largest absolute differences. Raises ValueError when they miss
    FP32_LIMITS or a graph holds a trap, InputError when the disk is full; in either case
    `out` is left as it was.
    """
    network = network.eval()
    views = world_views()
    sample = torch.from_numpy(views.gallery[:3])
    with new_bundle(out) as work:
        named = {"pictures": sample}
        dynamic = ("pictures", *ENCODER_OUTPUTS)
        maps = export_graph(work / "model.onnx", network, named, ENCODER_OUTPUTS, dynamic)
        run = OnnxRun(work / "model.onnx")
        parity = compare(TorchRun(network, ENCODER_OUTPUTS), run, views)
        if failures := parity.failures(FP32_LIMITS):
            raise ValueError("; ".join(failures))
        coarse, fine = torch.from_numpy(maps["coarse"]), torch.from_numpy(maps["fine"])
        errors = {name: figures.max_abs for name, figures in parity.outputs.items()}
        if isinstance(decoder, ModelBundle):
            for name in LOCATION_GRAPHS:
                shutil.copyfile(decoder.path / name, work / name)
        else:
            errors |= export_location_graphs(work, decoder_for(decoder, INPUT_PX), coarse, fine)
        for name, error in errors.items():
            if not error <= (FP32_LIMITS.max_abs or 0.0):
                raise ValueError(f"output '{name}' differs from PyTorch by {error:.2g}")
        c, f = INPUT_PX // COARSE_STRIDE, INPUT_PX // FINE_STRIDE
        info = {
            "id": model_id,
            "kind": "flight",
            "input_px": INPUT_PX,
            "input": "uint8 NHWC BGR, black where there is no ground; normalized in the graph",
            "descriptor_dim": DESCRIPTOR_DIM,
            "outputs": {
                "descriptor": ["N", DESCRIPTOR_DIM],
                "coarse": ["N", COARSE_CHANNELS, c, c],
                "fine": ["N", FINE_CHANNELS, f, f],
            },
            "precision": "fp32",
            "parameters": sum(p.numel() for p in network.parameters()),
            "opset": OPSET,
            "parity": parity.as_json(),
            "parity_max_abs": {k: float(f"{v:.3g}") for k, v in errors.items()},
            "selftest": write_self_test(work, views.gallery[0], run(views.gallery[:1])),
            **facts,
        }
        write_info(work, info)
    return errors
