"""Trains a descriptor of overhead views over the small encoder, with any of the aggregators.

The small sisters of GenGeo and GeoLink are trained so over unifygeo-edge's frozen encoder, which
leaves its maps for locating as they were validated; the ablation trains the encoder, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.bundles.bundle_weights import bundle_weights
from export.losses.infonce import symmetric_infonce
from export.networks.edge_branches import Aggregator, edge_branch
from export.networks.unifygeo_edge import UnifyGeoEdge
from export.overhead.pair_settings import HeldOutGround, Pairs
from export.overhead.pair_stream import pair_batches
from export.overhead.pairs import PairBatch
from export.overhead.scenes import load_scenes
from export.training.run_settings import Run
from export.training.tasks.unifygeo_edge import start_from_xfeat
from export.validation.held_out import HeldOut, held_out_set, recall
from onboard.model_bundle import load_bundle

ENCODE_AT_ONCE = 32


@dataclass(frozen=True)
class OverheadDescriptorSettings:
    """start_from: XFeat's folded weights for the encoder; start_from_bundle: a bundle of
    unifygeo-edge for everything; all but the descriptor is then frozen."""

    model_id: str
    aggregator: Aggregator
    run: Run
    pairs: Pairs
    held_out: tuple[HeldOutGround, ...]
    start_from: Path | None = None
    start_from_bundle: Path | None = None
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 3e-4

    def __post_init__(self) -> None:
        if self.start_from is not None and self.start_from_bundle is not None:
            raise ValueError("start_from and start_from_bundle exclude one another; remove one")


class OverheadDescriptorModel(nn.Module):
    """frozen: the encoder and the maps for locating keep their weights."""

    def __init__(self, aggregator: Aggregator, picture_px: int, frozen: bool) -> None:
        super().__init__()
        self.network = UnifyGeoEdge(edge_branch(aggregator, picture_px))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.frozen = frozen
        if frozen:
            self.network.requires_grad_(False)
            self.network.global_branch.requires_grad_(True)

    def forward(self, batch: PairBatch) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The loss, and the share of views whose tile comes first in the batch."""
        device = self.log_scale.device
        views, tiles = (torch.from_numpy(x).to(device) for x in (batch.views, batch.tiles))
        d = self.network.descriptors(torch.cat((views, tiles))).float()
        a, b = d[: len(views)], d[len(views) :]
        with torch.no_grad():
            hits = (a @ b.T).argmax(1) == torch.arange(len(a), device=device)
        loss = symmetric_infonce(a, b, self.log_scale)
        return {"retrieval": loss}, {"retrieval_hits": float(hits.float().mean())}


class OverheadDescriptorTask:
    """Raises InputError: a training set or the starting weights absent or unfit."""

    def __init__(self, settings: OverheadDescriptorSettings) -> None:
        torch.manual_seed(settings.run.seed)
        self._settings = settings
        model = OverheadDescriptorModel(
            settings.aggregator,
            settings.pairs.picture_px,
            frozen=settings.start_from_bundle is not None,
        )
        if settings.start_from is not None:
            start_from_xfeat(model.network, settings.start_from)
        if settings.start_from_bundle is not None:
            # the stem of its descriptor, too, where the branch has the same one
            weights = bundle_weights(load_bundle(settings.start_from_bundle))
            model.network.load_state_dict(weights, strict=False)
        self.model: nn.Module = model
        self.loss_weights = {"retrieval": 1.0}

    def parameter_groups(self) -> list[dict[str, Any]]:
        assert isinstance(self.model, OverheadDescriptorModel)
        branch = self.model.network.global_branch
        head = [*branch.parameters(), self.model.log_scale]
        groups = [{"params": head, "peak": self._settings.learning_rate}]
        if not self.model.frozen:
            encoder = list(self.model.network.encoder.parameters())
            groups.append({"params": encoder, "peak": self._settings.encoder_learning_rate})
        return groups

    def batches(self, first_step: int) -> Iterable[PairBatch]:
        s = self._settings
        return pair_batches(s.pairs, s.run.seed, first_step, s.run.steps)

    def losses(
        self, model: nn.Module, batch: PairBatch, step: int
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        losses, shares = model(batch)
        return losses, shares

    @cached_property
    def _held_out(self) -> dict[str, HeldOut]:
        """Cut at the training pictures' size, to which some aggregators are bound."""
        s = self._settings
        return {
            h.source.name: held_out_set(
                load_scenes(h.source, s.pairs.data)[0],
                h.queries,
                h.ground_size_m,
                s.pairs.picture_px,
            )
            for h in s.held_out
        }

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """Per held-out ground, and their mean: a right tile first, and among the first five."""
        assert isinstance(model, OverheadDescriptorModel)
        model.eval()
        device = model.log_scale.device
        figures: dict[str, float] = {}
        for name, ground in self._held_out.items():
            views, tiles = (
                torch.cat(
                    [
                        model.network.descriptors(
                            torch.from_numpy(p[i : i + ENCODE_AT_ONCE]).to(device)
                        )
                        for i in range(0, len(p), ENCODE_AT_ONCE)
                    ]
                )
                for p in (ground.views, ground.tiles)
            )
            similarity = (views @ tiles.T).cpu().numpy()
            figures[f"{name} recall_1"] = recall(similarity, ground, 1)
            figures[f"{name} recall_5"] = recall(similarity, ground, 5)
        for k in (1, 5):
            each = [v for n, v in figures.items() if n.endswith(f" recall_{k}")]
            figures[f"recall_{k}"] = sum(each) / len(each)
        return figures
