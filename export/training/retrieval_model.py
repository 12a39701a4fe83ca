"""What is trained for retrieval: a network of the registry, and what its loss needs besides."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn

from export.benchmark.picture_tensor import normalised
from export.datasets.pair_batches import PairBatch
from export.datasets.retrieval_set import View
from export.losses.infonce import symmetric_infonce, weighted_infonce
from export.losses.multi_similarity import multi_similarity
from export.networks.unifygeo import UnifyGeo

START_SCALE = math.log(1 / 0.07)


class Loss(Enum):
    """What the descriptors of a batch are trained by."""

    INFONCE = "infonce"  # a query and its partner against all others; by IoU where the set tells
    MULTI_SIMILARITY = "multi-similarity"  # all pictures of a place against all others, both views


class RetrievalModel(nn.Module):
    """A registry network, its loss, and the learned scale of InfoNCE's similarities: the
    network's own where its published layout has one."""

    def __init__(self, network: nn.Module, loss: Loss = Loss.INFONCE) -> None:
        super().__init__()
        self.network = network
        self._loss = loss
        published = getattr(network, "logit_scale", None)
        self.log_scale: nn.Parameter = (
            nn.Parameter(torch.tensor(START_SCALE)) if published is None else published
        )

    def describe(self, pictures: Tensor, view: View) -> Tensor:
        """(N, 3, H, W) normalised -> (N, D) float32 of unit length."""
        if isinstance(self.network, UnifyGeo):
            ground = view is View.GROUND
            tower = self.network.describe_ground if ground else self.network.describe_overhead
            answer: Any = tower(pictures)
        else:
            answer = self.network(pictures)
        descriptors: Tensor = answer if isinstance(answer, Tensor) else answer[0]
        return nn.functional.normalize(descriptors.float(), dim=1)

    def forward(
        self, batch: PairBatch, views: tuple[View, View], weighted: bool
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        """The loss, and the share of queries for which a picture of their place comes first in
        the batch."""
        device = self.log_scale.device
        a = self.describe(normalised(batch.queries, device), views[0])
        b = self.describe(normalised(batch.gallery, device), views[1])
        classes = torch.from_numpy(batch.classes).to(device)
        with torch.no_grad():
            hits = classes[(a @ b.T).argmax(1)] == classes
        if self._loss is Loss.MULTI_SIMILARITY:
            loss = multi_similarity(torch.cat((a, b)), torch.cat((classes, classes)))
        elif weighted:
            iou = torch.from_numpy(batch.weights).to(device)
            loss = weighted_infonce(a, b, self.log_scale, iou)
        else:
            loss = symmetric_infonce(a, b, self.log_scale)
        return {"retrieval": loss}, {"retrieval_hits": float(hits.float().mean())}
