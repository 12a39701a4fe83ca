"""Dynamic similarity sampling (Sample4Geo): the references that the network now confuses."""

from __future__ import annotations

import torch
from torch import Tensor

from export.samplers.exclusive import Samples
from export.samplers.gps import without_positives
from export.samplers.neighbours import NEIGHBOURS, Neighbours

CHUNK = 512  # queries against all references at once
MARGIN = 2  # references kept beyond those asked for, before the own one is taken out


@torch.no_grad()
def nearest_by_similarity(
    samples: Samples, queries: Tensor, references: Tensor, count: int = NEIGHBOURS
) -> Neighbours:
    """The `count` references whose descriptors are most like each sample's query, without those
    it is positive to; (N, count), most similar first, -1 where there are no more.

    queries: (N,D), one a sample; references: (P,D), in the numbers of samples.places; unit
    length, on any device. To be called at every evaluation, with the weights of that moment.
    Raises ValueError: a count of queries other than the samples', a descriptor that is NaN.
    """
    if len(queries) != len(samples):
        raise ValueError(f"{len(queries)} queries for {len(samples)} samples")
    if not (torch.isfinite(queries).all() and torch.isfinite(references).all()):
        raise ValueError("a descriptor is not a number")
    most = max((len(p) for p in samples.positives), default=0)
    kept = min(count + max(MARGIN, most + 1), len(references))
    ranked = [
        (queries[i : i + CHUNK].float() @ references.float().T).topk(kept, dim=1).indices.cpu()
        for i in range(0, len(queries), CHUNK)
    ]
    return without_positives(samples, torch.cat(ranked).numpy(), count)
