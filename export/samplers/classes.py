"""Batches by class: several pictures of each of some."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.samplers.exclusive import Batch

PLACES_PER_BATCH = 60  # GSV-Cities, SALAD
PICTURES_PER_PLACE = 4


def several_of_each(
    labels: Sequence[int] | NDArray[np.int64],
    seed: int,
    epoch: int,
    places: int = PLACES_PER_BATCH,
    pictures: int = PICTURES_PER_PLACE,
) -> list[Batch]:
    """One epoch of batches of `places` classes with `pictures` different samples of each, class
    after class (GSV-Cities; what the multi-similarity loss needs).

    Every class with enough samples comes at most once an epoch, with another draw of its
    samples every epoch; those with fewer are left out.
    """
    rng = np.random.default_rng((seed, epoch))
    labels = np.asarray(labels, np.int64)
    order = np.argsort(labels, kind="stable")
    _, starts = np.unique(labels[order], return_index=True)
    members = [m for m in np.split(order, starts[1:]) if len(m) >= pictures]
    chosen = [members[k] for k in rng.permutation(len(members))]
    drawn = [rng.permutation(m)[:pictures] for m in chosen]
    full = len(drawn) // places * places
    return [np.concatenate(drawn[i : i + places]) for i in range(0, full, places)]
