"""Batches with several pictures of each place, in both views: for losses between classes."""

from __future__ import annotations

import numpy as np

from export.datasets.pair_batches import Pairs
from export.datasets.retrieval_set import TrainingSet
from export.samplers.classes import several_of_each
from export.samplers.exclusive import Batch
from onboard.errors import InputError


def need_classes(found: TrainingSet, pairs: Pairs, pictures: int) -> None:
    """Raises InputError: the set's labels do not part it into places that are each other's
    negatives, or no place has so many queries."""
    apart = not found.semi_positives and all(
        found.queries[q].label == found.gallery[g].label
        for q, g in zip(pairs.queries.tolist(), pairs.gallery.tolist(), strict=True)
    )
    if not apart:
        raise InputError(
            f"{found.name}: its pictures overlap those of other places, which multi-similarity "
            "would push apart; set loss to 'infonce' and sampling to 'exclusive'"
        )
    _, first = np.unique(pairs.queries, return_index=True)
    most = int(np.bincount(pairs.classes[first]).max(initial=0))
    if most < pictures:
        raise InputError(
            f"{found.name}: no place has {pictures} {found.query_view.value} pictures "
            f"(the most is {most}); "
            + (
                f"lower pictures_per_place to {most}"
                if most > 1
                else "set loss to 'infonce' and sampling to 'exclusive'"
            )
        )


def class_batches(pairs: Pairs, seed: int, epoch: int, places: int, pictures: int) -> list[Batch]:
    """One epoch of batches of pair numbers: of `places` classes `pictures` different queries
    each, class after class.

    Each query brings one of its positives; those of a class take turns from a random first, so
    that a gallery picture comes twice only where the class has fewer than `pictures`.
    """
    _, first, positives = np.unique(pairs.queries, return_index=True, return_counts=True)
    rng = np.random.default_rng((seed, epoch))
    turns = np.tile(np.arange(pictures), places)
    batches = []
    for batch in several_of_each(pairs.classes[first], seed, epoch, places, pictures):
        start = rng.integers(0, positives[batch].max(), places).repeat(pictures)
        batches.append(first[batch] + (start + turns) % positives[batch])
    return batches
