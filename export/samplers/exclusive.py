"""Mutually exclusive sampling (Game4Loc): no two samples of a batch are positive to one another.

InfoNCE takes whoever is not the partner for a negative, so a batch must not hold a second
picture of the same ground. Every other sampler here builds its batches by this rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Batch = NDArray[np.int64]  # (batch size,) indexes of samples
MAX_FAILED = 1024  # tries in a row that found no place in the batch (Sample4Geo; 512 for U1652)


@dataclass(frozen=True)
class Samples:
    """What an epoch draws from. places: (N,), the number of the reference (satellite tile,
    class) that sample i is paired with. positives: per sample every reference that its query
    would also be right about; the own one is one of them without being named.

    Raises ValueError: lists of different lengths.
    """

    places: NDArray[np.int64]
    positives: tuple[frozenset[int], ...]

    def __post_init__(self) -> None:
        if len(self.positives) != len(self.places):
            raise ValueError(f"{len(self.positives)} positives for {len(self.places)} samples")

    def __len__(self) -> int:
        return len(self.places)


def exclusive_batches(
    samples: Samples,
    batch_size: int,
    rng: np.random.Generator,
    companions: Callable[[int], Iterable[int]] | None = None,
    max_failed: int = MAX_FAILED,
) -> list[Batch]:
    """One epoch in random order: every sample at most once, batches full, the last incomplete
    one dropped. A sample that does not fit waits for a later batch.

    companions: samples to put beside a given one, best first; those used already or unfit are
    passed over. max_failed: the epoch ends after so many samples in a row that did not fit.
    """
    waiting = deque(rng.permutation(len(samples)).tolist())
    used = np.zeros(len(samples), bool)
    batches: list[Batch] = []
    batch = _OpenBatch(samples)
    failed = 0
    while waiting and failed < max_failed:
        seed = waiting.popleft()
        if used[seed]:
            continue
        if not batch.fits(seed):
            waiting.append(seed)
            failed += 1
            continue
        failed = 0
        for sample in (seed, *(companions(seed) if companions else ())):
            if used[sample] or not batch.fits(sample):
                continue
            batch.add(sample)
            used[sample] = True
            if len(batch.members) == batch_size:
                batches.append(np.array(batch.members, np.int64))
                batch = _OpenBatch(samples)
                break
    return batches


class _OpenBatch:
    """A batch that is being filled."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self.members: list[int] = []
        self._places: set[int] = set()
        self._positives: set[int] = set()

    def fits(self, sample: int) -> bool:
        place = int(self._samples.places[sample])
        return (
            place not in self._places
            and place not in self._positives
            and self._places.isdisjoint(self._samples.positives[sample])
        )

    def add(self, sample: int) -> None:
        self.members.append(sample)
        self._places.add(int(self._samples.places[sample]))
        self._positives |= self._samples.positives[sample]
