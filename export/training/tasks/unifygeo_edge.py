"""Trains unifygeo-edge: one network that retrieves, re-ranks and locates overhead views."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from export.losses.matching import cell_loss, centre_labels, patch_loss, retrieval_loss
from export.networks.map_matching import HeatmapDecoder, PatchMatcher
from export.networks.unifygeo_edge import COARSE_STRIDE, FINE_STRIDE, UnifyGeoEdge, load_xfeat
from export.overhead.pair_settings import HeldOutGround, Pairs
from export.overhead.pair_stream import pair_batches
from export.overhead.pairs import PairBatch
from export.overhead.scenes import load_scenes
from export.training.run_settings import Run
from export.validation.held_out import TILE_PX, HeldOut, held_out_set, validate
from onboard.errors import InputError

# after UnifyGeo's L_D + 100 L_G + 10 L_M + L_R, whose sums are here means over the batch
WEIGHTS = {
    "retrieval": 1.0,
    "rerank": 0.5,
    "heatmap": 0.5,
    "coarse": 0.25,
    "fine": 0.25,
    "patch": 0.5,
}


@dataclass(frozen=True)
class UnifyGeoEdgeSettings:
    """start_from: state dict of XFeat with batch norm folded (Apache-2.0), or absent to start
    from random weights. rerank_loss: whether L_R is part of the total (an ablation's switch)."""

    model_id: str
    run: Run
    pairs: Pairs
    held_out: tuple[HeldOutGround, ...]
    start_from: Path | None = None
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 3e-4
    rerank_loss: bool = True


class UnifyGeoEdgeModel(nn.Module):
    """Everything that is trained."""

    def __init__(self, picture_px: int) -> None:
        super().__init__()
        self.network = UnifyGeoEdge()
        self.decoder = HeatmapDecoder(picture_px)
        self.matcher = PatchMatcher()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self, batch: PairBatch) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The losses, and the share of views that are retrieved and located rightly."""
        device = self.log_scale.device
        views, tiles, transform = (
            torch.from_numpy(x).to(device) for x in (batch.views, batch.tiles, batch.view_to_tile)
        )
        n, size = views.shape[:2]
        d, c, f = (x.split(n) for x in self.network(torch.cat((views, tiles))))
        label4 = centre_labels(transform, size, FINE_STRIDE)
        label8 = centre_labels(transform, size, COARSE_STRIDE)
        coarse, _ = self.decoder.coarse(c[0], c[1], all_pairs=True)
        own = torch.arange(n, device=device)
        spread8 = torch.zeros_like(coarse)
        spread8[own, own] = label8
        # the fine level meets its own tile and the next one, often a neighbour on the ground
        fused, fine = self.decoder(
            c[0].repeat(2, 1, 1, 1),
            f[0].repeat(2, 1, 1, 1),
            torch.cat((c[1], c[1].roll(1, 0))),
            torch.cat((f[1], f[1].roll(1, 0))),
        )
        two_tiles = torch.stack(fused.split(n), 1)
        spread4 = torch.stack((label4, torch.zeros_like(label4)), 1)
        losses = {
            "retrieval": retrieval_loss(d[0], d[1], self.log_scale),
            "rerank": cell_loss(coarse, spread8) + cell_loss(two_tiles, spread4),
            "heatmap": cell_loss(fused[:n], label4),
            "coarse": cell_loss(coarse[own, own], label8),
            "fine": cell_loss(fine[:n], label4),
            "patch": patch_loss(self.matcher, f[0], f[1], transform),
        }
        with torch.no_grad():
            hits = (d[0] @ d[1].T).argmax(1) == own
            near = spread8.flatten(1).gather(1, coarse.flatten(1).argmax(1)[:, None])[:, 0]
        return losses, {
            "retrieval_hits": float(hits.float().mean()),
            "located": float((near > 1e-3).float().mean()),
        }


class UnifyGeoEdgeTask:
    """Raises InputError: a training set or the starting weights absent or unfit."""

    def __init__(self, settings: UnifyGeoEdgeSettings) -> None:
        torch.manual_seed(settings.run.seed)
        self._settings = settings
        self.model: nn.Module = UnifyGeoEdgeModel(settings.pairs.picture_px)
        self.loss_weights = dict(WEIGHTS)
        if not settings.rerank_loss:
            self.loss_weights["rerank"] = 0.0
        if settings.start_from is not None:
            start_from_xfeat(self._network, settings.start_from)

    @property
    def _network(self) -> UnifyGeoEdge:
        assert isinstance(self.model, UnifyGeoEdgeModel)
        return self.model.network

    def parameter_groups(self) -> list[dict[str, Any]]:
        encoder = list(self._network.encoder.parameters())
        known = {id(p) for p in encoder}
        rest = [p for p in self.model.parameters() if id(p) not in known]
        return [
            {"params": encoder, "peak": self._settings.encoder_learning_rate},
            {"params": rest, "peak": self._settings.learning_rate},
        ]

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
        return load_held_out(self._settings.held_out, self._settings.pairs.data)

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, UnifyGeoEdgeModel)
        decoder = HeatmapDecoder(TILE_PX).to(model.log_scale.device)
        decoder.load_state_dict(model.decoder.state_dict())
        figures: dict[str, float] = {}
        for name, ground in self._held_out.items():
            prefix = "" if len(self._held_out) == 1 else f"{name} "
            result = asdict(validate(model.network, decoder, ground))
            figures |= {prefix + k: v for k, v in result.items()}
        return figures


def load_held_out(held_out: tuple[HeldOutGround, ...], data: Path) -> dict[str, HeldOut]:
    """The held-out sets by their names. Raises InputError when one is absent."""
    return {
        h.source.name: held_out_set(load_scenes(h.source, data)[0], h.queries, h.ground_size_m)
        for h in held_out
    }


def start_from_xfeat(network: UnifyGeoEdge, path: Path) -> None:
    """Loads XFeat's folded weights into the encoder. Raises InputError."""
    try:
        load_xfeat(network, torch.load(path, weights_only=True, map_location="cpu"))
    except (OSError, RuntimeError, ValueError, KeyError) as e:
        raise InputError(
            f"{path}: cannot start from these weights ({e}); correct 'start_from'"
        ) from e
