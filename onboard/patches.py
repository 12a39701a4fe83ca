"""Finds the similarity between two pictures from small shifts of their patches.

Used against the map (locate) and against the previous view (motion).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.inference import Network
from onboard.messages import TILE_PX, Description, Floats

PATCH_PX = 32
CELL_PX = 4  # a step of the patch scores
INLIER_PX = 4.0  # one cell
RANSAC_TRIES = 500
MIN_PATCHES = 4  # fewer say nothing about a similarity
MIN_GROUND = 0.6  # share of a patch that shows ground
# Of a patch's scores, best less worst: on rendered views 0 to 0.1 on blank ground, above 0.4 for
# 99 % of the others.
MIN_CONTRAST = 0.12
# Calibrated on held-out ground (`pilotage validate`), so that 95 % of the errors lie in the
# 95 % ellipse: patches err together, as if there were a twentieth of them.
PATCHES_PER_INDEPENDENT = 20.0
FLOOR_PX = 0.4  # 1 sigma per axis of what no patch shows: tilt left over, relief


@dataclass(frozen=True)
class PatchFit:
    """transform: 2x3 similarity from view to crop pixels. covariance_px2: of the mapped
    view's centre, calibrated."""

    transform: Floats
    scale: float
    rotation: float
    inliers: int
    checked: int
    residual_px: float
    covariance_px2: Floats


def fit_patches(
    network: Network, view: Description, mask: NDArray[np.bool_], crop: Description
) -> PatchFit | None:
    """view and crop must show the same place to within 16 px. mask: (256,256) ground of the
    view. None when fewer than MIN_PATCHES patches can be compared, have a peak or agree;
    `checked` counts those without a peak, too."""
    scores, _ = network.patch_scores(view, crop)
    blocks = TILE_PX // PATCH_PX
    ground = mask.reshape(blocks, PATCH_PX, blocks, PATCH_PX).mean((1, 3)) >= MIN_GROUND
    rows, columns = np.nonzero(ground)
    if len(rows) < MIN_PATCHES:
        return None
    checked = len(rows)
    scores = scores[rows, columns]
    peaked = _has_peak(scores)
    if peaked.sum() < MIN_PATCHES:
        return None
    rows, columns = rows[peaked], columns[peaked]
    source = np.stack([columns + 0.5, rows + 0.5], 1) * PATCH_PX
    target = source + _peaks(scores[peaked])
    cv2.setRNGSeed(0)  # the same pictures give the same fit
    transform, inside = cv2.estimateAffinePartial2D(
        source,
        target,
        method=cv2.RANSAC,
        ransacReprojThreshold=INLIER_PX,
        maxIters=RANSAC_TRIES,
        refineIters=10,
    )
    if transform is None or inside is None:
        return None
    kept = inside[:, 0].astype(bool)
    if kept.sum() < MIN_PATCHES:
        return None
    residual = target[kept] - (source[kept] @ transform[:, :2].T + transform[:, 2])
    a, b = float(transform[0, 0]), float(transform[1, 0])
    return PatchFit(
        transform=np.asarray(transform, np.float64),
        scale=float(np.hypot(a, b)),
        rotation=float(np.arctan2(b, a)),
        inliers=int(kept.sum()),
        checked=checked,
        residual_px=float(np.sqrt((residual**2).sum(1).mean())),
        covariance_px2=_centre_covariance(source[kept], residual),
    )


def _has_peak(scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(P,9,9) -> (P,). Blank ground fits everywhere alike: its best is the first of all corners,
    and blank patches agree on that to the last bit."""
    flat = scores.reshape(len(scores), -1)
    peaked: NDArray[np.bool_] = flat.max(1) - flat.min(1) >= MIN_CONTRAST
    return peaked


def _peaks(scores: NDArray[np.float32]) -> Floats:
    """(P,9,9) -> (P,2) shifts in pixels (x, y), refined by a parabola through the peak."""
    p, side, _ = scores.shape
    flat = scores.reshape(p, -1).argmax(1)
    row, column = np.divmod(flat, side)
    out = np.empty((p, 2))
    index = np.arange(p)
    for axis, at in ((0, column), (1, row)):
        inner = np.clip(at, 1, side - 2)
        low, mid, high = (
            scores[index, row, inner + d] if axis == 0 else scores[index, inner + d, column]
            for d in (-1, 0, 1)
        )
        bend = np.maximum(2.0 * mid - low - high, 1e-6)
        step = np.clip((high - low) / (2.0 * bend), -0.5, 0.5)
        out[:, axis] = np.where(at == inner, at + step, at) - side // 2
    return out * CELL_PX


def _centre_covariance(source: Floats, residual: Floats) -> Floats:
    """Of the least-squares similarity's value at the view's centre: the patches' scatter
    divided by their number, plus what their lever arm adds when they lie to one side."""
    n = len(source)
    scatter = residual.T @ residual / max(n - 2, 1)
    middle = source.mean(0)
    spread = float(((source - middle) ** 2).sum()) + 1e-9
    arm = float(((middle - TILE_PX / 2) ** 2).sum())
    lever = np.eye(2) * float(np.trace(scatter)) / 2 * arm / spread
    return np.asarray(PATCHES_PER_INDEPENDENT * (scatter / n + lever) + FLOOR_PX**2 * np.eye(2))
