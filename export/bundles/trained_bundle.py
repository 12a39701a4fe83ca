"""The averaged weights of a training run as a model bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from export.bundles.flight_bundle import write_bundle
from export.overhead.pairs import GROUND_SIZE_M
from export.training.tasks.unifygeo_edge import UnifyGeoEdgeModel, UnifyGeoEdgeSettings
from export.training.trainer import load_checkpoint
from onboard.errors import InputError

XFEAT = "XFeat (verlab/accelerated_features), Apache-2.0, batch norm folded; all layers trained on"


def bundle_from_checkpoint(
    checkpoint: Path, settings: UnifyGeoEdgeSettings, out: Path
) -> dict[str, float]:
    """Writes `out`; returns the parity figures. Raises InputError: no checkpoint, or ONNX
    Runtime does not answer like PyTorch."""
    state = load_checkpoint(checkpoint)
    model = UnifyGeoEdgeModel(256)
    model.load_state_dict(state["average"])
    facts: dict[str, Any] = {
        "architecture": "UnifyGeo, small, two overhead views",
        "train_ground_size_m": list(GROUND_SIZE_M),
        "trained_steps": int(state["step"]),
        "trained_pairs": int(state["step"]) * settings.pairs.batch_pairs,
        "seed": settings.run.seed,
        "trained_on": [f"{s.name}: {s.licence}" for s in settings.pairs.source]
        + (["procedural world of maps/world"] if settings.pairs.world else []),
        "backbone_started_from": XFEAT if settings.start_from else None,
        "licence": "Apache-2.0",
    }
    try:
        return write_bundle(out, settings.model_id, model.network, model.decoder, facts)
    except ValueError as e:
        raise InputError(f"{out}: not written: {e}") from e
