"""A registered descriptor network -> a model bundle: for flight with a locator, or for
retrieval alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from export.bundles.bundle_folder import new_bundle, write_info
from export.bundles.graph_runs import OnnxRun, TorchRun
from export.bundles.location_graphs import LOCATION_GRAPHS
from export.bundles.locator import MAPS, join_with_locator
from export.bundles.mixed_precision import Precision, to_mixed_precision
from export.bundles.onnx_graph import OPSET, export_graph, save_checked
from export.bundles.parity import FP16_LIMITS, FP32_LIMITS, Answers, Parity, Run, compare
from export.bundles.parity_views import PICTURE_PX, ParityViews, Pictures
from export.bundles.preprocessing import PictureNetwork, descriptor_network
from export.bundles.self_test_record import write_self_test
from export.networks.unifygeo_overhead import UnifyGeoOverhead
from onboard.model_bundle import ModelBundle

ENCODER_OUTPUTS = ("descriptor", *MAPS)
TRACED_PICTURES = 2  # more than one, so that nothing is traced as if the batch were 1


@dataclass(frozen=True)
class BundlePlan:
    """batch: pictures at once, None for any number. locator: the bundle whose maps locate;
    None writes a bundle for retrieval alone. facts go into model.json."""

    model_id: str
    network_px: int
    precision: Precision
    batch: int | None
    locator: ModelBundle | None
    facts: Mapping[str, Any]


def write_network_bundle(
    out: Path,
    network: nn.Module,
    plan: BundlePlan,
    views: ParityViews,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Parity:
    """network: ImageNet-normalised RGB (N,3,S,S) -> descriptor (N,D), unit length. One that
    gives maps, too (UnifyGeoOverhead), flies with its own; only the few weights of the graphs
    that compare them are the locator's.

    Raises ValueError: parity missed (which figures), a graph that can't be had, or own maps of
    another size than flight's; InputError: disk full. In either case `out` is left as it was.
    """
    own_maps = isinstance(network, UnifyGeoOverhead) and plan.locator is not None
    if own_maps and plan.network_px != PICTURE_PX:
        raise ValueError(f"maps to locate with need --size {PICTURE_PX}")
    outputs = ENCODER_OUTPUTS if own_maps else ENCODER_OUTPUTS[:1]
    side = (plan.network_px, plan.network_px)
    pictures = (
        PictureNetwork(network.eval(), side, _describe)
        if own_maps
        else descriptor_network(network, plan.network_px)
    )
    with new_bundle(out) as work:
        path = work / "model.onnx"
        traced = np.arange(plan.batch or TRACED_PICTURES) % len(views.gallery)
        sample = torch.from_numpy(views.gallery[traced])
        dynamic = () if plan.batch else ("pictures", *outputs)
        export_graph(path, pictures, {"pictures": sample}, outputs, dynamic)
        reference: Run = TorchRun(pictures, outputs)
        model = onnx.load(path)
        if plan.locator is not None:
            if not own_maps:
                model = join_with_locator(model, plan.locator.path / "model.onnx")
                reference = _Joined(reference, OnnxRun(plan.locator.path / "model.onnx"))
            for name in LOCATION_GRAPHS:
                shutil.copyfile(plan.locator.path / name, work / name)
        if plan.precision is Precision.MIXED:
            model = to_mixed_precision(model)
        save_checked(model, path)
        run = OnnxRun(path)
        parity = compare(reference, run, views, progress)
        limits = FP16_LIMITS if plan.precision is Precision.MIXED else FP32_LIMITS
        if failures := parity.failures(limits):
            raise ValueError("; ".join(failures))
        answers = run(views.gallery[:1])
        info = {
            "id": plan.model_id,
            "kind": "retrieval" if plan.locator is None else "flight",
            "input_px": PICTURE_PX,
            "network_px": plan.network_px,
            "input": "uint8 NHWC BGR; resized and normalized in the graph",
            "descriptor_dim": answers["descriptor"].shape[1],
            "outputs": {n: [plan.batch or "N", *a.shape[1:]] for n, a in answers.items()},
            "precision": plan.precision.value,
            "locator": plan.locator and {"id": plan.locator.id, "sha256": plan.locator.sha256},
            "parameters": sum(p.numel() for p in network.parameters()),
            "opset": OPSET,
            "parity": parity.as_json(),
            "selftest": write_self_test(work, views.gallery[0], answers),
            **plan.facts,
        }
        write_info(work, info)
    return parity


def _describe(network: nn.Module, pictures: torch.Tensor) -> tuple[torch.Tensor, ...]:
    assert isinstance(network, UnifyGeoOverhead)
    return network.describe(pictures)


class _Joined:
    """The descriptor of one side with the maps of another."""

    def __init__(self, descriptor: Run, locator: Run) -> None:
        self._descriptor, self._locator = descriptor, locator

    def __call__(self, pictures: Pictures) -> Answers:
        maps = self._locator(pictures)
        return {**self._descriptor(pictures), **{n: maps[n] for n in MAPS}}
