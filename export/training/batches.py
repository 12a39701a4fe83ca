"""The stream of training batches: number n is the same whenever and wherever it is made."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from export.overhead.pairs import PairBatch, sample_batch
from export.overhead.scenes import Scene, load_scenes
from export.training.settings import TrainSettings


class BatchStream(IterableDataset[PairBatch]):
    """Batches first_step .. steps-1. Made to run in one worker process: the landscapes of
    the procedural world are built there, while the network trains here."""

    def __init__(self, settings: TrainSettings, first_step: int) -> None:
        self._settings = settings
        self._first_step = first_step

    def __iter__(self) -> Iterator[PairBatch]:
        cv2.setNumThreads(1)
        s = self._settings
        real: list[Scene] = []
        real_weights: list[float] = []
        for source in s.source:
            scenes = load_scenes(source, s.data)
            real += scenes
            real_weights += [source.weight / len(scenes)] * len(scenes)
        landscapes: dict[int, Scene] = {}
        for step in range(self._first_step, s.steps):
            scenes, weights = list(real), list(real_weights)
            if s.world is not None:
                landscapes = self._landscapes(step, landscapes)
                scenes += landscapes.values()
                weights += [s.world.weight / len(landscapes)] * len(landscapes)
            share: NDArray[np.float64] = np.array(weights) / sum(weights)
            rng = np.random.default_rng((s.seed, step))
            yield sample_batch(scenes, share, s.picture_px, s.batch_pairs, rng)

    def _landscapes(self, step: int, kept: dict[int, Scene]) -> dict[int, Scene]:
        """The landscapes in use at a step: the newest and those before it."""
        from export.overhead.world_scenes import world_scene

        world = self._settings.world
        assert world is not None
        newest = step // world.batches_per_landscape
        numbers = range(max(0, newest - world.kept_landscapes + 1), newest + 1)
        return {n: kept.get(n) or world_scene(world.first_seed + n, world) for n in numbers}
