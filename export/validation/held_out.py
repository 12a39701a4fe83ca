"""How well a network finds views of held-out ground: retrieval, re-ranking and the heatmap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.networks.map_matching import HeatmapDecoder
from export.networks.unifygeo_edge import FINE_STRIDE, SHORT_DESCRIPTOR_DIM, UnifyGeoEdge, unit
from export.overhead.pairs import cut, make_pair
from export.overhead.scenes import Scene

TILE_PX = 256
RERANKED = 8
GOOD_PX = 10.0
PRIOR_RADIUS_M = 150.0  # three sigma of a prior of 50 m
SEED = 77


@dataclass(frozen=True)
class ValidationResult:
    """Shares of queries: a tile holding the centre in its central half is first, or among the
    first five; first after re-ranking the first RERANKED; first by the first 64 numbers;
    located within GOOD_PX pixels without and with a prior; and the median error of the latter."""

    recall_1: float
    recall_5: float
    recall_1_reranked: float
    recall_1_short: float
    located_share: float
    located_with_prior_share: float
    median_error_m: float


@dataclass(frozen=True)
class HeldOut:
    """Views and the tiles of the same ground. Centres are in output pixels of the region,
    whose picture at that size is (H,W,3)."""

    region: NDArray[np.uint8]
    views: NDArray[np.uint8]
    view_centres: NDArray[np.float64]
    tiles: NDArray[np.uint8]
    tile_centres: NDArray[np.float64]
    ground_size_m: float


def held_out_set(
    scene: Scene, queries: int, ground_size_m: float, tile_px: int = TILE_PX
) -> HeldOut:
    """A fixed set: all half-overlapping tiles of the scene's first epoch, and seeded unlike
    views of any epoch."""
    rng = np.random.default_rng(SEED)
    pixel = ground_size_m / scene.ground_size_m
    w, h = (int(s / pixel) for s in scene.size)
    region, ground = cut(scene.epochs[0], np.diag([pixel, pixel, 1.0]), (w, h), None)
    gray = np.maximum(region.mean(2), 1) * ground
    region = np.repeat(gray.astype(np.uint8)[..., None], 3, axis=2)
    tiles, tile_centres = [], []
    for y in range(tile_px // 2, h - tile_px // 2 + 1, tile_px // 2):
        for x in range(tile_px // 2, w - tile_px // 2 + 1, tile_px // 2):
            half = tile_px // 2
            tiles.append(region[y - half : y + half, x - half : x + half, :1])
            tile_centres.append((x, y))
    views: list[NDArray[np.uint8]] = []
    view_centres: list[NDArray[np.float64]] = []
    while len(views) < queries:
        centre = rng.uniform((tile_px * 0.8,) * 2, (w - tile_px * 0.8, h - tile_px * 0.8))
        pair = make_pair(scene, centre * pixel, pixel, 0.0, tile_px, rng)
        if pair is None:
            continue
        offset = pair[2] @ (tile_px / 2, tile_px / 2, 1) - tile_px / 2
        views.append(pair[0][..., None])
        view_centres.append(centre + offset)
    return HeldOut(
        region,
        np.stack(views),
        np.array(view_centres),
        np.stack(tiles),
        np.array(tile_centres),
        ground_size_m,
    )


def recall(similarity: NDArray[np.float32], held_out: HeldOut, k: int) -> float:
    """Share of views with a tile among the k most similar that holds the view's centre in its
    central half. similarity: (views, tiles)."""
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return float(np.take_along_axis(_holds(held_out), order, 1).any(1).mean())


def _holds(held_out: HeldOut) -> NDArray[np.bool_]:
    """(views, tiles): the view's centre lies in the tile's central half."""
    apart = np.abs(held_out.view_centres[:, None] - held_out.tile_centres[None])
    return np.asarray((apart <= held_out.tiles.shape[1] / 4 + 1).all(2))


@torch.no_grad()
def validate(network: UnifyGeoEdge, decoder: HeatmapDecoder, held_out: HeldOut) -> ValidationResult:
    """decoder must be one for 256-px pictures."""
    network.eval()
    view_maps = _encode(network, held_out.views)
    tile_maps = _encode(network, held_out.tiles)
    similarity = (view_maps[0] @ tile_maps[0].T).cpu().numpy()
    short = [unit(m[0][:, :SHORT_DESCRIPTOR_DIM]) for m in (view_maps, tile_maps)]
    apart = np.abs(held_out.view_centres[:, None] - held_out.tile_centres[None])
    radius_px = PRIOR_RADIUS_M / held_out.ground_size_m + TILE_PX / 2
    near = np.linalg.norm(apart, axis=2) < radius_px
    good_m = GOOD_PX * held_out.ground_size_m
    holds = _holds(held_out)
    reranked_hits: list[bool] = []
    errors: list[float] = []
    errors_prior: list[float] = []
    for i in range(len(held_out.views)):
        for allowed, out in ((np.ones_like(near[i]), errors), (near[i], errors_prior)):
            score = np.where(allowed, similarity[i], -2.0)
            top = np.argsort(-score, kind="stable")[:RERANKED]
            maps = [
                view_maps[1][i : i + 1],
                view_maps[2][i : i + 1],
                tile_maps[1][top],
                tile_maps[2][top],
            ]
            fused, _ = decoder(*maps)
            best, cell = divmod(int(fused.flatten().argmax()), fused.shape[1] * fused.shape[2])
            row, column = divmod(cell, fused.shape[2])
            corner = held_out.tile_centres[top[best]] - TILE_PX / 2
            found = corner + np.array([column, row]) * FINE_STRIDE
            apart_px = float(np.linalg.norm(found - held_out.view_centres[i]))
            out.append(apart_px * held_out.ground_size_m)
            if out is errors:
                reranked_hits.append(bool(holds[i, top[best]]))
    return ValidationResult(
        recall_1=recall(similarity, held_out, 1),
        recall_5=recall(similarity, held_out, 5),
        recall_1_reranked=float(np.mean(reranked_hits)),
        recall_1_short=recall((short[0] @ short[1].T).cpu().numpy(), held_out, 1),
        located_share=float((np.array(errors) < good_m).mean()),
        located_with_prior_share=float((np.array(errors_prior) < good_m).mean()),
        median_error_m=float(np.median(errors_prior)),
    )


def _encode(network: UnifyGeoEdge, pictures: NDArray[np.uint8]) -> tuple[Tensor, Tensor, Tensor]:
    device = next(network.parameters()).device
    starts = range(0, len(pictures), 16)
    parts = [network(torch.from_numpy(pictures[i : i + 16]).to(device)) for i in starts]
    d, c, f = (torch.cat(x) for x in zip(*parts, strict=True))
    return d, c, f
