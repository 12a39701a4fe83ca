"""Pairs of a training set, and batches of their pictures: the same for the same seed and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.datasets.augmentation import Augmentation, augment_pair
from export.datasets.picture_file import read_picture
from export.datasets.retrieval_set import Size, TrainingSet
from export.samplers.exclusive import Samples


@dataclass(frozen=True)
class Pairs:
    """Every query with each of its positives: (N,) places in the set's lists, IoU weights, 1
    where the set tells none, and classes, the queries' labels as numbers."""

    queries: NDArray[np.int64]
    gallery: NDArray[np.int64]
    weights: NDArray[np.float32]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.queries)


@dataclass(frozen=True)
class PairBatch:
    """Row i of each shows the same place: (N, H, W, 3) uint8 BGR, (N,) weights and classes."""

    queries: NDArray[np.uint8]
    gallery: NDArray[np.uint8]
    weights: NDArray[np.float32]
    classes: NDArray[np.int64]


def pairs_of(found: TrainingSet) -> Pairs:
    """In the order of queries, then of their positives."""
    counts = [len(own) for own in found.positives]
    weights = found.weights or tuple((1.0,) * n for n in counts)
    queries = np.repeat(np.arange(len(counts)), counts)
    _, classes = np.unique([query.label for query in found.queries], return_inverse=True)
    return Pairs(
        queries,
        np.array([j for own in found.positives for j in own], np.int64),
        np.array([w for own in weights for w in own], np.float32),
        classes[queries],
    )


def samples_of(found: TrainingSet, pairs: Pairs) -> Samples:
    """For the samplers: a pair's place is its gallery picture, and it may not meet another
    positive or semi-positive of its query."""
    semi = found.semi_positives or ((),) * len(found.queries)
    near = [frozenset((*a, *b)) for a, b in zip(found.positives, semi, strict=True)]
    return Samples(pairs.gallery, tuple(near[q] for q in pairs.queries.tolist()))


def read_pairs(
    found: TrainingSet,
    pairs: Pairs,
    members: NDArray[np.int64],
    sizes: tuple[Size, Size],
    augmentation: Augmentation | None,
    seed: tuple[int, ...],
) -> PairBatch:
    """The pictures of some pairs at `sizes` (query's and gallery's).

    seed: of the augmentation; the same seed, the same pictures. Raises InputError: a picture
    that is absent or broken.
    """
    views = (found.query_view, found.gallery_view)
    left, right = [], []
    for place, member in enumerate(members.tolist()):
        query = read_picture(found.queries[pairs.queries[member]].picture, sizes[0])
        gallery = read_picture(found.gallery[pairs.gallery[member]].picture, sizes[1])
        if augmentation is not None:
            rng = np.random.default_rng((*seed, place))
            query, gallery = augment_pair(query, gallery, views, augmentation, rng)
        left.append(query)
        right.append(gallery)
    return PairBatch(
        np.stack(left), np.stack(right), pairs.weights[members], pairs.classes[members]
    )
