"""Trains GeoLink's small sister on a multi-view survey, led by point clouds.

The 2-D network is the one that flies: unifygeo-edge's encoder with a Mixer. The 3-D branch
(Point-NN's stored vectors, the mixture of experts, the vCLUB estimators) exists only here. Any
set of GeoLink's losses can be switched on; without any, InfoNCE of the two pictures is all.

The paper alternates a step of the estimators with one of the encoders. Here every optimizer
step is both: the estimators' loss holds the features and the encoders' bound holds the
estimators, so neither side moves the other, one optimizer keeps all state, and a killed run
goes on exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.losses.geolink import (
    WEIGHTS,
    cross_view_loss,
    estimators_loss,
    relation_distillation_loss,
    self_contrast_loss,
    structure_loss,
)
from export.networks.edge_branches import DESCRIPTOR_DIM, Aggregator, edge_branch
from export.networks.point_experts import PointExperts
from export.networks.unifygeo_edge import UnifyGeoEdge
from export.networks.unit_length import unit_length
from export.networks.vclub import VClub
from export.overhead.appearance import photograph
from export.points.survey import Survey
from export.points.survey_cache import Locations, cached_locations
from export.samplers.epochs import Epochs
from export.samplers.exclusive import Samples, exclusive_batches
from export.training.distributed import rank, world_size
from export.training.run_settings import Run
from export.training.tasks.unifygeo_edge import start_from_xfeat
from onboard.errors import InputError

CHANGED_SHARE = 0.7  # of the drone's views something on the ground differs from the map
TOUCHING = 0.999  # of a cell's side: cells so far apart in east or north don't overlap
ENCODE_AT_ONCE = 64
TEST_SEED = 77
SPREAD_EPS = 1e-6
FOR_LOCATING = ("fusion_2", "heat_")  # layers of the encoder that no descriptor needs


class GeoLinkLoss(str, Enum):
    CROSS_VIEW = "cc"
    SELF_CONTRAST = "sc"
    STRUCTURE = "ga"
    RELATIONS = "rd"


@dataclass(frozen=True)
class GeoLinkSurveySettings:
    """losses: of GeoLink; without cc there is no 3-D branch, and sc is that of the two pictures.
    club_hidden: the estimators'
    width (4096 in the paper, for descriptors 16 times as wide). batch_locations: of a process.
    relation_weight: of L_rd; 1 is the paper's, N^2 (N-1)^2 compares distances relative to their
    mean instead of their sum, which is some 1e5 times as much."""

    model_id: str
    run: Run
    survey: Survey
    losses: tuple[GeoLinkLoss, ...] = tuple(GeoLinkLoss)
    start_from: Path | None = None
    batch_locations: int = 16
    club_hidden: int = 512
    relation_weight: float = 1.0
    learning_rate: float = 1e-3
    encoder_learning_rate: float = 3e-4

    def __post_init__(self) -> None:
        led = {GeoLinkLoss.STRUCTURE, GeoLinkLoss.RELATIONS} & set(self.losses)
        if led and GeoLinkLoss.CROSS_VIEW not in self.losses:
            raise ValueError("ga and rd need cc, which gives the point clouds their meaning")
        if self.survey.picture_px % 32:
            raise ValueError("the survey's picture_px must be a multiple of 32")
        if self.batch_locations < 2:
            raise ValueError("batch_locations must be at least 2")


@dataclass(frozen=True)
class SurveyBatch:
    """views, maps: (N,S,S,1) uint8; features: (N,1152) float32, standardised. Row i of each is
    one location."""

    views: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    features: NDArray[np.float32]


class GeoLinkSurveyModel(nn.Module):
    """network: what flies. All else is left behind."""

    def __init__(self, losses: tuple[GeoLinkLoss, ...], picture_px: int, club_hidden: int) -> None:
        super().__init__()
        self.network = UnifyGeoEdge(edge_branch(Aggregator.MIXER, picture_px))
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.switched_on = losses
        if GeoLinkLoss.CROSS_VIEW in losses:
            self.experts = PointExperts(out_dim=DESCRIPTOR_DIM)
        if GeoLinkLoss.STRUCTURE in losses:
            self.by_drone, self.by_satellite = (
                VClub(DESCRIPTOR_DIM, DESCRIPTOR_DIM, club_hidden) for _ in range(2)
            )

    def forward(self, batch: SurveyBatch) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The losses, and the share of views whose map comes first in the batch."""
        device, on = self.log_scale.device, self.switched_on
        pictures = torch.from_numpy(np.concatenate((batch.views, batch.maps))).to(device)
        drone, satellite = self.network.descriptors(pictures).float().chunk(2)
        cloud = None
        if GeoLinkLoss.CROSS_VIEW in on:
            cloud = unit_length(self.experts(torch.from_numpy(batch.features).to(device)))
        losses = {"cc": cross_view_loss(drone, satellite, cloud, self.log_scale)}
        if GeoLinkLoss.SELF_CONTRAST in on:
            losses["sc"] = self_contrast_loss(drone, satellite, cloud, self.log_scale)
        if cloud is not None:
            three = (drone, satellite, cloud)
            if GeoLinkLoss.RELATIONS in on:
                losses["rd"] = relation_distillation_loss(*three)
            if GeoLinkLoss.STRUCTURE in on:
                clubs = (self.by_drone, self.by_satellite)
                losses["ga"] = structure_loss(*three, *clubs)
                losses["estimators"] = estimators_loss(*three, *clubs)
        with torch.no_grad():
            hits = (drone @ satellite.T).argmax(1) == torch.arange(len(drone), device=device)
        return losses, {"retrieval_hits": float(hits.float().mean())}


class GeoLinkSurveyTask:
    """Raises InputError: no survey, too small a survey, unfit starting weights."""

    def __init__(self, settings: GeoLinkSurveySettings) -> None:
        torch.manual_seed(settings.run.seed)
        self._settings = settings
        model = GeoLinkSurveyModel(
            settings.losses, settings.survey.picture_px, settings.club_hidden
        )
        if settings.start_from is not None:
            start_from_xfeat(model.network, settings.start_from)
        self.model: nn.Module = model
        self.loss_weights = {**WEIGHTS, "rd": settings.relation_weight, "estimators": 1.0}
        self._train, self._test = cached_locations(settings.survey, _show)
        features = self._train.features
        # numbers that all clouds of this ground share tell none of them apart
        self._features = (features - features.mean(0)) / (features.std(0) + SPREAD_EPS)
        self._samples = _exclusive_samples(self._train, settings.survey.cell_m)
        if not self._epoch(0):
            raise InputError(
                f"{settings.survey.reconstruction}: its training half has no "
                f"{settings.batch_locations * world_size()} cells that don't overlap; "
                "make batch_locations or cell_m smaller"
            )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What locating alone needs is frozen, as nothing here teaches it."""
        assert isinstance(self.model, GeoLinkSurveyModel)
        network = self.model.network
        network.requires_grad_(False)
        network.global_branch.requires_grad_(True)
        encoder = [
            p.requires_grad_(True)
            for name, p in network.encoder.named_parameters()
            if not name.startswith(FOR_LOCATING)
        ]
        known = {id(p) for p in encoder}
        rest = [p for p in self.model.parameters() if p.requires_grad and id(p) not in known]
        return [
            {"params": rest, "peak": self._settings.learning_rate},
            {"params": encoder, "peak": self._settings.encoder_learning_rate},
        ]

    def batches(self, first_step: int) -> Iterator[SurveyBatch]:
        steps = range(first_step, self._settings.run.steps)
        epochs = Epochs(lambda number, _: self._epoch(number)).remaining(first_step)
        chosen = (batch for _, batches in epochs for batch in batches)
        for step, locations in zip(steps, chosen, strict=False):
            yield self._batch(locations, step)

    def _epoch(self, number: int) -> list[NDArray[np.int64]]:
        """This process's parts of batches drawn for all together: InfoNCE compares them all."""
        processes = world_size()
        rng = np.random.default_rng((self._settings.run.seed, 0, number))
        joined = self._settings.batch_locations * processes
        batches = exclusive_batches(self._samples, joined, rng)
        return [batch[rank() :: processes] for batch in batches]

    def _batch(self, chosen: NDArray[np.int64], step: int) -> SurveyBatch:
        rng = np.random.default_rng((self._settings.run.seed, rank(), step, 1))
        views, maps = [], []
        for i in chosen:
            of_i = np.flatnonzero(self._train.location_of == i)
            view = self._train.views[int(rng.choice(of_i))]
            views.append(photograph(view, rng, changes=bool(rng.random() < CHANGED_SHARE)))
            maps.append(photograph(self._train.maps[i], rng, changes=False))
        return SurveyBatch(
            np.stack(views)[..., None], np.stack(maps)[..., None], self._features[chosen]
        )

    def losses(
        self, model: nn.Module, batch: SurveyBatch, step: int
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        losses, shares = model(batch)
        return losses, shares

    @cached_property
    def _test_pictures(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Views and maps of the held-out half, each as another sensor on another day would have
        it, always the same: one flight's photographs alone are found by an untrained network."""
        rng = np.random.default_rng(TEST_SEED)
        views = [photograph(v, rng, changes=True)[..., None] for v in self._test.views]
        maps = [photograph(m, rng, changes=False)[..., None] for m in self._test.maps]
        return np.stack(views), np.stack(maps)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """On the half never trained on: shares of the drone's views whose own cell is first, or
        among the first five, of all cells; of maps whose first view is their own. The next
        cells overlap by half, and count as wrong."""
        assert isinstance(model, GeoLinkSurveyModel)
        model.eval()
        views, maps = (_described(model.network, p) for p in self._test_pictures)
        similarity = views @ maps.T
        own = torch.from_numpy(self._test.location_of)
        order = similarity.argsort(1, descending=True)
        of_first_view = own[similarity.argmax(0)]
        return {
            "recall_1": float((order[:, 0] == own).float().mean()),
            "recall_5": float((order[:, :5] == own[:, None]).any(1).float().mean()),
            "map_to_view_recall_1": float(
                (of_first_view == torch.arange(len(maps))).float().mean()
            ),
        }


def _described(network: UnifyGeoEdge, pictures: NDArray[np.uint8]) -> Tensor:
    """(N,S,S,1) uint8 -> (N,256)."""
    device = next(network.parameters()).device
    starts = range(0, len(pictures), ENCODE_AT_ONCE)
    parts = (pictures[i : i + ENCODE_AT_ONCE] for i in starts)
    found = [network.descriptors(torch.from_numpy(p).to(device)) for p in parts]
    return torch.cat(found).float().cpu()


def _exclusive_samples(locations: Locations, cell_m: float) -> Samples:
    """Cells that overlap are positive to one another."""
    apart = np.abs(locations.position_m[:, None] - locations.position_m).max(2)
    overlap = apart < TOUCHING * cell_m
    others = (frozenset(np.flatnonzero(row).tolist()) - {i} for i, row in enumerate(overlap))
    return Samples(np.arange(len(overlap)), tuple(others))


def _show(done: int, of: int) -> None:
    if done % 20 == 0 or done == of:
        print(f"point clouds {done}/{of}", flush=True)
