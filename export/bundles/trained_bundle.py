"""The averaged weights of a training run as a model bundle that flies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.bundles.flight_bundle import INPUT_PX, write_bundle
from export.networks.map_matching import HeatmapDecoder
from export.networks.unifygeo_edge import SHORT_DESCRIPTOR_DIM, UnifyGeoEdge
from export.overhead.pairs import GROUND_SIZE_M
from export.training.checkpoint import load_checkpoint
from export.training.tasks.catalogue import TaskSettings
from export.training.tasks.overhead_descriptor import (
    OverheadDescriptorModel,
    OverheadDescriptorSettings,
)
from export.training.tasks.unifygeo_edge import UnifyGeoEdgeModel, UnifyGeoEdgeSettings
from onboard.errors import InputError
from onboard.model_bundle import ModelBundle, load_bundle

XFEAT = "XFeat (verlab/accelerated_features), Apache-2.0, batch norm folded; all layers trained on"
OVER_UNIFYGEO_EDGE = "%s, frozen, and through it XFeat (Apache-2.0); the descriptor trained here"


def bundle_from_checkpoint(checkpoint: Path, settings: TaskSettings, out: Path) -> dict[str, float]:
    """Writes `out`; returns the parity figures. Raises InputError: no checkpoint, a task whose
    network can't fly, or ONNX Runtime does not answer like PyTorch."""
    state = load_checkpoint(checkpoint)
    if isinstance(settings, UnifyGeoEdgeSettings):
        whole = UnifyGeoEdgeModel(INPUT_PX)
        whole.load_state_dict(state["average"])
        network: UnifyGeoEdge = whole.network
        decoder: HeatmapDecoder | ModelBundle = whole.decoder
        architecture = "UnifyGeo, small, two overhead views"
        started_from = XFEAT if settings.start_from else None
        own: dict[str, Any] = {"short_descriptor_dim": SHORT_DESCRIPTOR_DIM}
    elif isinstance(settings, OverheadDescriptorSettings) and settings.start_from_bundle:
        if settings.pairs.picture_px != INPUT_PX:
            raise InputError(
                f"{checkpoint}: trained on pictures of {settings.pairs.picture_px} px, flight has "
                f"{INPUT_PX}; set pairs.picture_px to that"
            )
        model = OverheadDescriptorModel(settings.aggregator, INPUT_PX, frozen=True)
        model.load_state_dict(state["average"])
        locator = load_bundle(settings.start_from_bundle)
        network, decoder = model.network, locator
        architecture = f"{settings.aggregator.value} descriptor over unifygeo-edge's encoder"
        started_from = OVER_UNIFYGEO_EDGE % locator.id
        own = {}
    else:
        raise InputError(
            f"{checkpoint}: this task trains no network that locates; use `pilotage export onnx`"
        )
    facts: dict[str, Any] = {
        "architecture": architecture,
        **own,
        "train_ground_size_m": list(GROUND_SIZE_M),
        "trained_steps": int(state["step"]),
        "trained_pairs": int(state["step"]) * settings.pairs.batch_pairs,
        "seed": settings.run.seed,
        "trained_on": [f"{s.name}: {s.licence}" for s in settings.pairs.source]
        + (["procedural world of maps/world"] if settings.pairs.world else []),
        "backbone_started_from": started_from,
        "licence": "Apache-2.0",
    }
    try:
        return write_bundle(out, settings.model_id, network, decoder, facts)
    except ValueError as e:
        raise InputError(f"{out}: not written: {e}") from e
