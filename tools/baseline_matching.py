"""From two sets of features to where one picture lies in the other: the baselines' estimators."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.messages import Floats
from tools.baseline_features import Features

RATIO = 0.8  # SIFT's ratio test (Lowe, 2004)
GATE_SCALE = 1.4  # a match may differ this much in scale
GATE_ANGLE_DEG = 20.0
LEFT_OVER_SCALE = 1.25  # of a view that was scaled by height and turned by yaw
LEFT_OVER_DEG = 15.0
RESIDUAL_PX = 4.0
_CHUNK = 256  # view features matched at once against the whole map

Matches = tuple[Floats, Floats]  # (M, 2) in the view, (M, 2) in the map
Found = tuple[Floats, int]  # view-to-map transform, 2x3 or 3x3, and its inliers


def match_sift(view: Features, world: Features) -> Found | str:
    """Ratio test, similarity by RANSAC; a gate's reason where there is none."""
    nearest = _nearest(view, world)
    if nearest is None:
        return "too_few_inliers"
    index, best, second = nearest
    keep = (2 - 2 * best) < RATIO**2 * (2 - 2 * second)
    return _similarity((view.xy[keep], world.xy[index[keep]]))


def match_gated_sift(view: Features, world: Features) -> Found | str:
    """Only features of like scale and angle compete; MAGSAC++ homography, then gates."""
    nearest = _nearest(view, world, like_only=True)
    if nearest is None:
        return "too_few_inliers"
    index, best, second = nearest
    keep = (2 - 2 * best) < RATIO**2 * (2 - 2 * second)
    if keep.sum() < 4:
        return "too_few_inliers"
    to = world.xy[index[keep]]
    origin = to.mean(axis=0)
    homography, inliers = cv2.findHomography(
        view.xy[keep], to - origin, cv2.USAC_MAGSAC, RESIDUAL_PX
    )
    if homography is None:
        return "too_few_inliers"
    shift = np.array([[1, 0, origin[0]], [0, 1, origin[1]], [0, 0, 1.0]])
    transform: Floats = shift @ homography
    return _left_over(transform) or (transform, int(inliers.sum()))


def match_xfeat(view: Features, world: Features) -> Found | str:
    """Mutual nearest neighbours, similarity by RANSAC, then gates."""
    nearest = _nearest(view, world)
    if nearest is None:
        return "too_few_inliers"
    index = nearest[0]
    # Mutual: of the view's features that chose one of the map's, it must prefer this one.
    chosen = np.unique(index)
    back = np.argmax(world.descriptors[chosen] @ view.descriptors.T, axis=1)
    keep = back[np.searchsorted(chosen, index)] == np.arange(len(index))
    found = _similarity((view.xy[keep], world.xy[index[keep]]))
    return found if isinstance(found, str) else (_left_over(found[0]) or found)


def _nearest(
    view: Features, world: Features, like_only: bool = False
) -> tuple[NDArray[np.intp], Floats, Floats] | None:
    """Index of the map's most similar feature, its cosine, and that of the second; None when
    there is too little to match. like_only: among those of like scale and angle."""
    if len(view.xy) < 4 or len(world.xy) < 4:
        return None
    index, best, second = [], [], []
    for start in range(0, len(view.xy), _CHUNK):
        cosine = view.descriptors[start : start + _CHUNK] @ world.descriptors.T
        if like_only:
            cosine[~_alike(view, world, slice(start, start + _CHUNK))] = -1.0
        rows = np.arange(len(cosine))
        first = np.argmax(cosine, axis=1)
        index.append(first)
        best.append(cosine[rows, first].copy())
        cosine[rows, first] = -1.0
        second.append(cosine.max(axis=1))
    return (
        np.concatenate(index),
        np.concatenate(best).astype(np.float64),
        np.concatenate(second).astype(np.float64),
    )


def _alike(view: Features, world: Features, part: slice) -> NDArray[np.bool_]:
    """(view features of the part, map features): whether scale and angle agree."""
    turn = view.angle_deg[part, None] - world.angle_deg[None]
    near = np.abs((turn + 180) % 360 - 180) < GATE_ANGLE_DEG
    ratio = np.log(view.scale[part, None]) - np.log(world.scale[None])
    alike: NDArray[np.bool_] = near & (np.abs(ratio) < math.log(GATE_SCALE))
    return alike


def _similarity(matches: Matches) -> Found | str:
    if len(matches[0]) < 3:
        return "too_few_inliers"
    origin = matches[1].mean(axis=0)  # map pixels are too large for single precision
    transform, inliers = cv2.estimateAffinePartial2D(
        matches[0],
        matches[1] - origin,
        method=cv2.RANSAC,
        ransacReprojThreshold=RESIDUAL_PX,
        maxIters=5000,
        confidence=0.999,
    )
    if transform is None:
        return "too_few_inliers"
    transform = transform.copy()
    transform[:, 2] += origin
    return transform, int(inliers.sum())


def _left_over(transform: Floats) -> str | None:
    """The gate's reason where scale or rotation beyond the telemetry's are too large."""
    middle = apply_transform(transform, np.array([[128.0, 128.0], [129.0, 128.0], [128.0, 129.0]]))
    right, down = middle[1] - middle[0], middle[2] - middle[0]
    area = right[0] * down[1] - right[1] * down[0]
    if area <= 0 or abs(math.log(math.sqrt(area))) > math.log(LEFT_OVER_SCALE):
        return "scale_disagrees"
    if abs(math.degrees(math.atan2(right[1], right[0]))) > LEFT_OVER_DEG:
        return "rotation_disagrees"
    return None


def apply_transform(transform: Floats, xy: Floats) -> Floats:
    """(N, 2) points through a similarity (2x3) or homography (3x3)."""
    mapped: Floats = np.column_stack([xy, np.ones(len(xy))]) @ transform.T
    return mapped[:, :2] / mapped[:, 2:] if transform.shape[0] == 3 else mapped
