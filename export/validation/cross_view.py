"""How well UnifyGeo finds panoramas among held-out tiles, and where in their own tile."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.datasets.located_pairs import LocatedBatch
from export.metrics.ranking import strict_ranks
from export.networks.unifygeo import UnifyGeo
from export.networks.unifygeo_rerank import candidates, ranks, rerank


@torch.no_grad()
def validate(
    network: UnifyGeo,
    batches: Iterable[LocatedBatch],
    prepare: tuple[nn.Module, nn.Module],
    tiles: NDArray[np.int64],
    tile_m: NDArray[np.float64],
) -> dict[str, float]:
    """prepare: panoramas and tiles as they come -> as the network wants them. tiles, tile_m: of
    each query in the batches' order, the number of its tile and how many metres that is wide.

    Returns the shares of queries whose tile is first and among the first five of the tiles at
    hand, and first after re-ranking; and mean and median distance of the heatmap's peak.
    """
    network.eval()
    device = next(network.parameters()).device
    places, first_query = np.unique(tiles, return_index=True)
    ground: list[Tensor] = []
    vectors: list[Tensor] = []
    overhead: list[Tensor] = []
    maps: list[Tensor] = []
    errors: list[float] = []
    for batch in batches:
        panorama, tile = (
            part(torch.from_numpy(x).to(device))
            for part, x in zip(prepare, (batch.panoramas, batch.tiles), strict=True)
        )
        descriptor, local = network.describe_ground(panorama)
        tile_descriptor, levels = network.describe_overhead(tile)
        logits = network.locate(local, levels)
        side = logits.shape[-1]
        peaks = logits.flatten(1).argmax(1).cpu().numpy()
        found = np.stack((peaks % side, peaks // side), 1) + 0.5  # the middle of the pixel
        off = np.linalg.norm(found - batch.places_px, axis=1) / side
        errors += (off * tile_m[len(errors) : len(errors) + len(off)]).tolist()
        rerank_maps = network.rerank_maps(levels[0])
        ground.append(descriptor)
        vectors.append(local[0])
        for i, query in enumerate(range(len(errors) - len(off), len(errors))):
            if query in first_query:  # several panoramas may share a tile
                overhead.append(tile_descriptor[i])
                maps.append(rerank_maps[i])
    # the tiles were met in the order of their first queries
    met = places[np.argsort(first_query)]
    own = np.array([int(np.flatnonzero(met == t)[0]) for t in tiles], np.intp)
    similarities = (torch.cat(ground) @ torch.stack(overhead).T).float().cpu().numpy()
    chosen = candidates(similarities)
    matches = np.stack(
        [
            network.rerank_scores(vector[None], torch.stack([maps[t] for t in row]))[0].cpu()
            for vector, row in zip(torch.cat(vectors), chosen, strict=True)
        ]
    )
    before = strict_ranks(similarities, [(int(t),) for t in own])
    after = ranks(similarities, rerank(similarities, chosen, matches), own)
    return {
        "recall_1": float((before == 1).mean()),
        "recall_5": float((before <= 5).mean()),
        "recall_1_reranked": float((after == 1).mean()),
        "mean_error_m": float(np.mean(errors)),
        "median_error_m": float(np.median(errors)),
    }
