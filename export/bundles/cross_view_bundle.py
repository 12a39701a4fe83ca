"""UnifyGeo for ground panoramas -> three graphs: panorama, tile, and the heatmap of a pair.

It is measured on VIGOR, not flown: the aircraft has no panorama.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from export.bundles.bundle_folder import new_bundle, write_info
from export.bundles.graph_runs import OnnxRun, TorchRun, run_graph
from export.bundles.mixed_precision import Precision
from export.bundles.network_bundle import TRACED_PICTURES, BundlePlan
from export.bundles.onnx_graph import OPSET, export_graph
from export.bundles.parity import FP32_LIMITS, Parity, compare, output_parity
from export.bundles.parity_views import Pictures, world_views
from export.bundles.preprocessing import PictureNetwork
from export.networks.unifygeo import PANORAMA_PX, TILE_PX, UnifyGeo

LEVELS = range(4)  # the coarsest is 0
VECTORS = [f"vector_{k}" for k in LEVELS]  # of the ground view
MAPS = [f"map_{k}" for k in LEVELS]  # of the tile
GALLERY, QUERIES = 12, 2


class _Locate(nn.Module):
    """Vectors, then maps, one after another as a graph has them -> heatmap logits."""

    def __init__(self, network: UnifyGeo) -> None:
        super().__init__()
        self.network = network

    def forward(self, *levels: Tensor) -> Tensor:
        return self.network.locate(levels[: len(VECTORS)], levels[len(VECTORS) :])


def write_cross_view_bundle(out: Path, network: UnifyGeo, plan: BundlePlan) -> Parity:
    """ground.onnx: `pictures` (N,384,768,3) uint8 BGR -> descriptor, vector_0..3; model.onnx:
    (N,384,384,3) -> descriptor, map_0..3; decoder.onnx: vectors and maps of N pairs -> heatmap
    logits (N,384,384). Compared with PyTorch on pictures of the world stretched to these sizes,
    for there are no panoramas of it, and on the hard ones. Returns the tiles' parity.

    Raises ValueError: parity missed, a precision, batch or size that it is not written in;
    InputError: disk full. In either case `out` is left as it was.
    """
    if plan.precision is not Precision.FP32 or plan.network_px != TILE_PX or plan.batch:
        raise ValueError(
            f"cross-view bundles are for tiles of {TILE_PX} px, in fp32, and take any batch; "
            "leave --size, --precision and --batch out"
        )
    network = network.eval()
    with new_bundle(out) as work:
        ground, vectors = _export_tower(work / "ground.onnx", network, PANORAMA_PX)
        overhead, maps = _export_tower(work / "model.onnx", network, (TILE_PX, TILE_PX))
        inputs = {**vectors, **maps}
        names = [*inputs, "heatmap"]
        right = export_graph(work / "decoder.onnx", _Locate(network), inputs, ["heatmap"], names)
        got = run_graph(work / "decoder.onnx", inputs)
        flat = [x["heatmap"].reshape(TRACED_PICTURES, -1) for x in (right, got)]
        heatmap = output_parity(flat[0], flat[1])
        if heatmap.max_abs > (FP32_LIMITS.max_abs or 0.0):
            raise ValueError(f"output 'heatmap' differs from PyTorch by {heatmap.max_abs:.2g}")
        write_info(
            work,
            {
                "id": plan.model_id,
                "kind": "cross-view",
                "input_px": TILE_PX,
                "ground_input_px": list(PANORAMA_PX),
                "input": "uint8 NHWC BGR; normalized in the graph",
                "descriptor_dim": inputs["map_0"].shape[1],
                "precision": plan.precision.value,
                "parameters": sum(p.numel() for p in network.parameters()),
                "opset": OPSET,
                "parity": {"ground": ground.as_json(), "overhead": overhead.as_json()},
                "parity_max_abs": {"heatmap": float(f"{heatmap.max_abs:.3g}")},
                **plan.facts,
            },
        )
    return overhead


def _export_tower(
    path: Path, network: UnifyGeo, size_px: tuple[int, int]
) -> tuple[Parity, dict[str, Tensor]]:
    """Writes one tower; its parity, and the maps or vectors of the traced pictures by name."""
    of_ground = size_px == PANORAMA_PX
    describe = _ground if of_ground else _overhead
    outputs = ["descriptor", *(VECTORS if of_ground else MAPS)]
    tower = PictureNetwork(network, size_px, describe)
    views = world_views(GALLERY, QUERIES)
    stretch = partial(_stretched, size_px=size_px)
    sample = torch.from_numpy(stretch(views.gallery[:TRACED_PICTURES]))
    answers = export_graph(path, tower, {"pictures": sample}, outputs, ["pictures", *outputs])
    torch_run, onnx_run = TorchRun(tower, outputs), OnnxRun(path)
    parity = compare(lambda x: torch_run(stretch(x)), lambda x: onnx_run(stretch(x)), views)
    if failures := parity.failures(FP32_LIMITS):
        raise ValueError(f"{path.name}: {'; '.join(failures)}")
    return parity, {n: torch.from_numpy(answers[n]) for n in outputs[1:]}


def _ground(network: nn.Module, pictures: Tensor) -> tuple[Tensor, ...]:
    assert isinstance(network, UnifyGeo)
    descriptor, vectors = network.describe_ground(pictures)
    return descriptor, *vectors


def _overhead(network: nn.Module, pictures: Tensor) -> tuple[Tensor, ...]:
    assert isinstance(network, UnifyGeo)
    descriptor, maps = network.describe_overhead(pictures)
    return descriptor, *maps


def _stretched(pictures: Pictures, size_px: tuple[int, int]) -> Pictures:
    return np.stack([cv2.resize(p, size_px[::-1]) for p in pictures]).astype(np.uint8, copy=False)
