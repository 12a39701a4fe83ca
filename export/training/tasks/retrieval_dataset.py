"""Trains any network of the registry on any data set of the catalogue.

By symmetric InfoNCE; which pairs meet in a batch: at random but mutually exclusive, or with hard
negatives, from the neighbours by GPS in the first epochs and by what the network confuses after
(Sample4Geo). Pairs with an IoU are believed as far as they overlap (Game4Loc). Or by the
multi-similarity loss over several pictures of each place (GSV-Cities, SALAD).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from export.benchmark.picture_size import picture_size
from export.benchmark.picture_tensor import device_of, normalised
from export.checkpoints import load_weights
from export.datasets.augmentation import Augmentation
from export.datasets.catalogue import read_dataset, read_training_set
from export.datasets.class_batches import class_batches, need_classes
from export.datasets.pair_batches import PairBatch, pairs_of, samples_of
from export.datasets.retrieval_set import Item, RetrievalSet, TrainingSet, View
from export.metrics.ranking import recall_at, strict_ranks
from export.networks.gengeo import GenGeo
from export.networks.geolink import GeoLink
from export.networks.registry import Views, make_network, network_entry
from export.samplers.classes import PICTURES_PER_PLACE
from export.samplers.epochs import Epochs
from export.samplers.exclusive import Batch, exclusive_batches
from export.samplers.gps import nearest_by_gps, nearest_by_metres
from export.samplers.neighbours import Neighbours, neighbour_batches
from export.samplers.similarity import nearest_by_similarity
from export.training.distributed import rank, world_size
from export.training.pair_loader import pair_loader
from export.training.picture_descriptors import describe_items
from export.training.retrieval_model import Loss, RetrievalModel
from export.training.run_settings import Run
from onboard.errors import InputError


class Sampling(Enum):
    """Which pairs meet in a batch."""

    EXCLUSIVE = "exclusive"
    GPS = "gps"
    SIMILARITY = "similarity"  # by GPS first, where the set has positions; else at random
    SEVERAL = "several"  # pictures_per_place pairs of each place: what multi-similarity needs


@dataclass(frozen=True)
class RetrievalDatasetSettings:
    """root, direction, work: as `pilotage benchmark` takes them. batch_pairs: of one process.
    input_px: side of the overhead pictures, the network's own where absent. gps_epochs: how many
    pass before similarity decides, search_every_epochs: how often it is measured anew. Loss
    'multi-similarity' and sampling 'several' go together; pictures_per_place is theirs alone.
    start_from: weights of the whole network; start_backbone_from: released DINOv2 weights for the
    backbone of GenGeo or GeoLink. validation_queries: at most, evenly spread."""

    network: str
    dataset: str
    root: Path
    run: Run
    direction: str | None = None
    work: Path | None = None
    input_px: int | None = None
    batch_pairs: int = 32
    loss: Loss = Loss.INFONCE
    sampling: Sampling = Sampling.EXCLUSIVE
    pictures_per_place: int = PICTURES_PER_PLACE
    gps_epochs: int = 4
    search_every_epochs: int = 4
    learning_rate: float = 1e-4
    start_from: Path | None = None
    start_backbone_from: Path | None = None
    checkpointing: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    validation_queries: int = 1000
    readers: int = 2

    def __post_init__(self) -> None:
        if self.batch_pairs < 2:
            raise ValueError("batch_pairs must be at least 2: the others are the negatives")
        several = self.sampling is Sampling.SEVERAL
        if several != (self.loss is Loss.MULTI_SIMILARITY):
            raise ValueError(
                f"loss '{self.loss.value}' with sampling '{self.sampling.value}': "
                "'multi-similarity' and 'several' go together; set both or neither"
            )
        if several and self.pictures_per_place < 2:
            raise ValueError("pictures_per_place must be at least 2: they are each other's matches")
        places, left_over = divmod(self.batch_pairs, max(1, self.pictures_per_place))
        if several and (places < 2 or left_over):
            raise ValueError(
                f"batch_pairs is {self.batch_pairs}; it must be a multiple of pictures_per_place, "
                f"{self.pictures_per_place}, and at least twice as many"
            )
        if min(self.gps_epochs, self.search_every_epochs, self.validation_queries) < 1:
            raise ValueError("gps_epochs, search_every_epochs, validation_queries: at least 1")
        if self.start_from is not None and self.start_backbone_from is not None:
            raise ValueError("start_from and start_backbone_from exclude one another; remove one")
        if self.readers < 0:
            raise ValueError(f"readers is {self.readers}; 0 reads in the training process")


class RetrievalDatasetTask:
    """Raises InputError: no such set or network, a set whose pictures the network cannot take,
    GPS sampling without positions, multi-similarity without several pictures a place, weights
    of another network."""

    def __init__(self, settings: RetrievalDatasetSettings) -> None:
        torch.manual_seed(settings.run.seed)
        self._settings = s = settings
        entry = network_entry(s.network)
        self._set: TrainingSet = read_training_set(s.dataset, s.root, s.direction, s.work)
        self._views = (self._set.query_view, self._set.gallery_view)
        if entry.views is Views.GROUND_AND_OVERHEAD and View.GROUND not in self._views:
            raise InputError(
                f"{s.network}: takes street panoramas, which {s.dataset} has none of in this "
                "direction; choose another network or set"
            )
        side_px = s.input_px or entry.default_size_px
        network = make_network(s.network, side_px, s.checkpointing)
        if s.start_from is not None:
            load_weights(network.get_submodule(entry.released_part), s.start_from)
        if s.start_backbone_from is not None:
            if not isinstance(network, (GenGeo, GeoLink)):
                raise InputError(f"{s.network}: has no DINOv2 backbone; give it 'start_from' only")
            network.start_from(s.start_backbone_from)
        self._sizes = (
            picture_size(network, side_px, self._views[0], self._set.query_size),
            picture_size(network, side_px, self._views[1], self._set.gallery_size),
        )
        self.model: nn.Module = RetrievalModel(network, s.loss)
        self.loss_weights = {"retrieval": 1.0}
        self._pairs = pairs_of(self._set)
        self._samples = samples_of(self._set, self._pairs)
        searched = s.sampling in (Sampling.GPS, Sampling.SIMILARITY)
        if s.sampling is Sampling.GPS and not self._has_positions:
            raise InputError(
                f"{s.dataset}: its pictures tell no position; set sampling to 'similarity' or "
                "'exclusive'"
            )
        if s.sampling is Sampling.SEVERAL:
            need_classes(self._set, self._pairs, s.pictures_per_place)
        self._epochs = Epochs(self._plan, self._search if searched else None)

    def parameter_groups(self) -> list[dict[str, Any]]:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        return [{"params": trained, "peak": self._settings.learning_rate}]

    def batches(self, first_step: int) -> Iterator[PairBatch]:
        """This process's part of every batch, pictures read by other processes."""
        s, step = self._settings, first_step
        for _, batches in self._epochs.remaining(first_step):
            own = slice(rank() * s.batch_pairs, (rank() + 1) * s.batch_pairs)
            yield from pair_loader(
                self._set,
                self._pairs,
                [batch[own] for batch in batches],
                self._sizes,
                s.augmentation,
                (s.run.seed, rank(), step),
                s.readers,
            )
            step += len(batches)

    def losses(
        self, model: nn.Module, batch: PairBatch, step: int
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        losses, shares = model(batch, self._views, bool(self._set.weights))
        return losses, shares

    def state_dict(self) -> dict[str, Any]:
        """The sampler's table, which weights of an earlier step have made."""
        return self._epochs.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._epochs.load_state_dict(state)

    @cached_property
    def _test_sets(self) -> list[RetrievalSet]:
        s = self._settings
        return read_dataset(s.dataset, s.root, s.direction, s.work)

    @torch.no_grad()
    def validate(self, model: nn.Module) -> dict[str, float]:
        """R@1 and R@5 over the test sets of the direction, and their means where several."""
        assert isinstance(model, RetrievalModel)
        figures: dict[str, list[float]] = {"recall_1": [], "recall_5": []}
        for found in self._test_sets:
            asked = [i for i, own in enumerate(found.positives) if own]
            step = max(1, math.ceil(len(asked) / self._settings.validation_queries))
            kept = asked[::step]
            queries = self._describe(model, [found.queries[i] for i in kept], 0)
            gallery = self._describe(model, found.gallery, 1)
            block = (queries @ gallery.T).cpu().numpy()
            ranks = strict_ranks(block, [found.positives[i] for i in kept])
            for k in (1, 5):
                figures[f"recall_{k}"].append(recall_at(ranks, k))
        return {name: sum(values) / len(values) for name, values in figures.items()}

    def _describe(
        self, model: RetrievalModel, items: tuple[Item, ...] | list[Item], side: int
    ) -> Tensor:
        """side: 0 the queries', 1 the gallery's."""
        view = self._views[side]
        return describe_items(
            lambda pictures: model.describe(normalised(pictures, device_of(model)), view),
            model,
            items,
            self._sizes[side],
        )

    def _positions(self, kind: str) -> NDArray[np.float64] | None:
        """(P, 2), of the gallery; None where a picture has none of this kind."""
        found = [getattr(item, kind) for item in self._set.gallery]
        return None if None in found else np.array(found, np.float64)

    @property
    def _has_positions(self) -> bool:
        return any(self._positions(kind) is not None for kind in ("position_deg", "position_m"))

    def _plan(self, epoch: int, neighbours: Neighbours | None) -> list[Batch]:
        """Batches of all processes together, so that none meets another's positives."""
        s = self._settings
        size, seed = s.batch_pairs * world_size(), s.run.seed
        if s.sampling is Sampling.SEVERAL:
            places = size // s.pictures_per_place
            return class_batches(self._pairs, seed, epoch, places, s.pictures_per_place)
        if neighbours is None:
            rng = np.random.default_rng((seed, epoch))
            return exclusive_batches(self._samples, size, rng)
        return neighbour_batches(self._samples, neighbours, size, seed, epoch)

    def _search(self, epoch: int, before: Neighbours | None) -> Neighbours | None:
        s = self._settings
        by_gps = s.sampling is Sampling.GPS or epoch < s.gps_epochs
        if by_gps:
            return before if before is not None else self._by_gps()
        if (epoch - s.gps_epochs) % s.search_every_epochs and before is not None:
            return before
        table = [self._by_similarity()]
        if world_size() > 1:  # equal weights may still round differently elsewhere
            dist.broadcast_object_list(table, 0)
        return table[0]

    def _by_gps(self) -> Neighbours | None:
        if (lat_lon := self._positions("position_deg")) is not None:
            return nearest_by_gps(self._samples, *lat_lon.T)
        if (x_y := self._positions("position_m")) is not None:
            return nearest_by_metres(self._samples, *x_y.T)
        return None

    @torch.no_grad()
    def _by_similarity(self) -> Neighbours:
        assert isinstance(self.model, RetrievalModel)
        queries = self._describe(self.model, self._set.queries, 0)
        gallery = self._describe(self.model, self._set.gallery, 1)
        own = torch.from_numpy(self._pairs.queries).to(queries.device)
        return nearest_by_similarity(self._samples, queries[own], gallery)
