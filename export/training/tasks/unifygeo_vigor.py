"""Trains UnifyGeo on street panoramas and satellite tiles in VIGOR's layout.

The paper's recipe: batch 64, 40 epochs, AdamW with weight decay 0.04, 4.5e-4 with one epoch of
warm-up, mirroring and quarter turns of both views together, colour and holes by Sample4Geo. It
names no sampling of hard negatives; batches here are drawn at random, without a tile that
another panorama of the batch is positive or semi-positive to.

VIGOR has no validation half: a share of the training tiles is held out with all their
panoramas. Tiles overlap, so this is no other ground; only the test half tells of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.bundles.preprocessing import FromPictures
from export.datasets.augmentation import Augmentation
from export.datasets.located_pairs import LocatedBatch, read_located_pairs
from export.datasets.pair_batches import pairs_of, samples_of
from export.datasets.vigor import DIRECTIONS, read_training
from export.losses.infonce import symmetric_infonce
from export.losses.unifygeo import (
    WEIGHTS,
    gaussian_labels,
    level_labels,
    location_loss,
    matching_loss,
    rerank_loss,
)
from export.networks.convnext import TINY, Shape
from export.networks.convnext_start import start_from_convnext
from export.networks.unifygeo import TILE_PX, Answers, UnifyGeo
from export.samplers.epochs import Epochs
from export.samplers.exclusive import Samples, exclusive_batches
from export.training.distributed import rank, world_size
from export.training.run_settings import Run
from export.validation.cross_view import validate
from maps.in_order import in_order
from onboard.errors import InputError

AHEAD = 4  # batches read while the network works
READERS = 4
LABEL_SHARE = 4 / 384  # sigma, of the tile's side


@dataclass(frozen=True)
class UnifyGeoVigorSettings:
    """root: VIGOR's folder. split: 'same' or 'cross', '-original' for the uncorrected labels.
    start_from: state dict of an ImageNet ConvNeXt-Tiny (timm's), or absent for random weights.
    batch_pairs: of one process. held_out_share: of the training tiles, for validation.
    rerank_loss: whether L_R is in the total (an ablation's switch). depths, dims: of the four
    ConvNeXt stages. checkpointing: less memory, a third more time."""

    run: Run
    root: Path
    split: str = "same"
    start_from: Path | None = None
    batch_pairs: int = 64
    learning_rate: float = 4.5e-4
    tile_px: int = TILE_PX
    held_out_share: float = 0.02
    rerank_loss: bool = True
    checkpointing: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    depths: tuple[int, ...] = TINY.depths
    dims: tuple[int, ...] = TINY.dims

    def __post_init__(self) -> None:
        if self.split not in DIRECTIONS:
            raise ValueError(f"split '{self.split}' is not one of {', '.join(DIRECTIONS)}")
        if self.batch_pairs < 2:
            raise ValueError("batch_pairs must be at least 2: the others are the negatives")
        if not 0 < self.held_out_share < 1:
            raise ValueError(f"held_out_share is {self.held_out_share}; it must be in 0..1")
        if len(self.depths) != len(self.dims):
            raise ValueError("depths and dims must have one number a stage")


class UnifyGeoVigorTask:
    """The checkpoint has the layout of the release. Raises InputError: VIGOR or the starting
    weights absent or unfit, sizes that the network cannot take."""

    def __init__(self, settings: UnifyGeoVigorSettings) -> None:
        torch.manual_seed(settings.run.seed)
        self._settings = s = settings
        self._sizes = ((s.tile_px, 2 * s.tile_px), (s.tile_px, s.tile_px))
        try:
            network = UnifyGeo(Shape(s.depths, s.dims), self._sizes[0], s.checkpointing)
        except ValueError as e:
            raise InputError(f"tile_px, depths or dims: {e}") from e
        if s.start_from is not None:
            start_from_convnext(network, s.start_from)
        self.model: nn.Module = network
        self.loss_weights = dict(WEIGHTS)
        if not s.rerank_loss:
            self.loss_weights["rerank"] = 0.0
        self._prepare = (FromPictures(self._sizes[0]), FromPictures(self._sizes[1]))
        self._found = read_training(s.root, s.split, s.root)
        self._training, self._held_out = self._halves()

    def _halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the queries to train on, and of those held out with their tiles."""
        tiles = sorted({own[0] for own in self._found.positives})
        rng = np.random.default_rng(self._settings.run.seed)
        count = max(1, round(self._settings.held_out_share * len(tiles)))
        kept_back = set(rng.permutation(tiles)[:count].tolist())
        held = np.array([own[0] in kept_back for own in self._found.positives])
        return np.flatnonzero(~held), np.flatnonzero(held)

    def parameter_groups(self) -> list[dict[str, Any]]:
        parameters = list(self.model.parameters())
        return [{"params": parameters, "peak": self._settings.learning_rate}]

    def batches(self, first_step: int) -> Iterator[LocatedBatch]:
        s, processes = self._settings, world_size()
        every = samples_of(self._found, pairs_of(self._found))
        positives = tuple(every.positives[i] for i in self._training)
        samples = Samples(every.places[self._training], positives)

        def plan(epoch: int, _: object) -> list[NDArray[np.int64]]:
            rng = np.random.default_rng((s.run.seed, epoch))
            return exclusive_batches(samples, s.batch_pairs * processes, rng)

        def steps() -> Iterator[tuple[int, NDArray[np.int64]]]:
            step = first_step
            for _, batches in Epochs(plan).remaining(first_step):
                for batch in batches:
                    if step == s.run.steps:
                        return
                    yield step, self._training[batch[rank() :: processes]]
                    step += 1

        def read(item: tuple[int, NDArray[np.int64]]) -> LocatedBatch:
            seed = (s.run.seed, item[0], rank())
            return read_located_pairs(self._found, item[1], self._sizes, s.augmentation, seed)

        with ThreadPoolExecutor(READERS) as pool:
            yield from in_order(pool, read, steps(), AHEAD)

    def losses(
        self, model: nn.Module, batch: LocatedBatch, step: int
    ) -> tuple[dict[str, Tensor], dict[str, float]]:
        device = next(model.parameters()).device
        panoramas, tiles = (
            part.to(device)(torch.from_numpy(x).to(device))
            for part, x in zip(self._prepare, (batch.panoramas, batch.tiles), strict=True)
        )
        answers: Answers = model(panoramas, tiles)
        places = torch.from_numpy(batch.places_px).to(device)
        label = gaussian_labels(places, tiles.shape[-1], LABEL_SHARE * tiles.shape[-1])
        levels = [level_labels(label, s.shape[-1]) for s in answers.scores]
        losses = {
            "heatmap": location_loss(answers.logits, label),
            "retrieval": symmetric_infonce(answers.ground, answers.overhead, answers.log_scale),
            "matching": torch.stack(
                [matching_loss(s, w) for s, w in zip(answers.scores, levels, strict=True)]
            ).sum(),
            "rerank": rerank_loss(answers.rerank, levels[0], answers.log_scale_rerank),
        }
        with torch.no_grad():
            own = torch.arange(len(tiles), device=device)
            hits = (answers.ground @ answers.overhead.T).argmax(1) == own
            best = answers.rerank.flatten(2).amax(2).argmax(1) == own
        return losses, {
            "retrieval_hits": float(hits.float().mean()),
            "rerank_hits": float(best.float().mean()),
        }

    def validate(self, model: nn.Module) -> dict[str, float]:
        assert isinstance(model, UnifyGeo)
        size = self._settings.batch_pairs
        chunks = np.array_split(self._held_out, max(1, -(-len(self._held_out) // size)))
        tile_m = np.array(
            [t.tile_px * t.metres_per_px for t in (self._found.truths[i] for i in self._held_out)]
        )
        read = (read_located_pairs(self._found, c, self._sizes, None, (0,)) for c in chunks)
        places = np.array([self._found.positives[i][0] for i in self._held_out], np.int64)
        for part in self._prepare:
            part.to(model.logit_scale.device)
        return validate(model, read, self._prepare, places, tile_m)
