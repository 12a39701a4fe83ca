"""The stream of training batches: number n is the same whenever and wherever it is made."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from export.overhead.pair_settings import Pairs
from export.overhead.pairs import PairBatch, sample_batch
from export.overhead.scenes import Scene, load_scenes
from export.training.distributed import rank

PREFETCHED = 6


class PairStream(IterableDataset[PairBatch]):
    """Batches first_step .. steps-1 of one process. Made to run in one worker: the landscapes
    of the procedural world are built there, while the network trains here."""

    def __init__(self, pairs: Pairs, seed: int, first_step: int, steps: int) -> None:
        self._pairs = pairs
        self._seed = (seed, rank()) if rank() else (seed,)
        self._steps = range(first_step, steps)

    def __iter__(self) -> Iterator[PairBatch]:
        cv2.setNumThreads(1)
        p = self._pairs
        real: list[Scene] = []
        real_weights: list[float] = []
        for source in p.source:
            scenes = load_scenes(source, p.data)
            real += scenes
            real_weights += [source.weight / len(scenes)] * len(scenes)
        landscapes: dict[int, Scene] = {}
        for step in self._steps:
            scenes, weights = list(real), list(real_weights)
            if p.world is not None:
                landscapes = self._landscapes(step, landscapes)
                scenes += landscapes.values()
                weights += [p.world.weight / len(landscapes)] * len(landscapes)
            share: NDArray[np.float64] = np.array(weights) / sum(weights)
            rng = np.random.default_rng((*self._seed, step))
            yield sample_batch(scenes, share, p.picture_px, p.batch_pairs, rng)

    def _landscapes(self, step: int, kept: dict[int, Scene]) -> dict[int, Scene]:
        """The landscapes in use at a step: the newest and those before it."""
        from export.overhead.world_scenes import world_scene

        world = self._pairs.world
        assert world is not None
        newest = step // world.batches_per_landscape
        numbers = range(max(0, newest - world.kept_landscapes + 1), newest + 1)
        return {n: kept.get(n) or world_scene(world.first_seed + n, world) for n in numbers}


def pair_batches(pairs: Pairs, seed: int, first_step: int, steps: int) -> DataLoader[PairBatch]:
    """The stream, made in a process of its own."""
    return DataLoader(
        PairStream(pairs, seed, first_step, steps),
        batch_size=None,
        num_workers=1,
        prefetch_factor=PREFETCHED,
        multiprocessing_context="spawn",  # a forked child would inherit OpenCV's dead threads
    )
