"""What the localization is measured against: SIFT and XFeat on the same views and the same map.

All get the same north-up view and all features of the map around the prior (without a prior,
of the whole level). None has a motion model, all see what the network sees.

| name | how |
| --- | --- |
| sift | RootSIFT, ratio test, similarity by RANSAC |
| sift+gates | ratio test among features of like scale and angle only, MAGSAC++ homography; the
|            | scale and rotation left over must be small |
| xfeat | XFeat, mutual nearest neighbours, similarity by RANSAC |
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, offset_latlon, pixel_size_m, pixel_to_latlon
from onboard.map_pack import MapPack
from onboard.messages import TILE_PX, Floats, Picture, Prior, View
from tools.baseline_features import Features, MapFeatures, XfeatDetector, sift_features
from tools.scores import FrameScore, offset_m

SIGMAS = 3.0  # the map is searched this far around the prior, as by our own retrieval
RATIO = 0.8  # SIFT's ratio test (Lowe, 2004)
GATE_SCALE = 1.4  # a match may differ this much in scale
GATE_ANGLE_DEG = 20.0
LEFT_OVER_SCALE = 1.25  # of a view that was scaled by height and turned by yaw
LEFT_OVER_DEG = 15.0
RESIDUAL_PX = 4.0
MIN_INLIERS = {"sift": 6, "sift+gates": 6, "xfeat": 10}
XFEAT_FILE = "xfeat_640x640_036580a1.onnx"
_CHUNK = 1024  # view features matched at once against the whole map

Matches = tuple[Floats, Floats]  # (M, 2) in the view, (M, 2) in the map


@dataclass(frozen=True)
class Baseline:
    """estimate takes view and map features and gives a 2x3 or 3x3 view-to-map transform with
    its number of inliers, or a reason why not."""

    name: str
    map_features: MapFeatures
    detect: Callable[[Picture], Features]
    estimate: Callable[[Features, Features], tuple[Floats, int] | str]

    def locate(
        self,
        view: View,
        prior: Prior | None,
        pack: MapPack,
        name: str,
        vehicle: tuple[float, float] | None,
        centre: tuple[float, float] | None,
    ) -> FrameScore:
        """prior: of the view's centre. vehicle, centre: the truth. The map's features are
        not part of the time: they can be made before the flight."""
        features = self.map_features.within(view.level, *_search_box(view, prior, pack))
        start = time.perf_counter_ns()
        found = self.estimate(self.detect(view.picture), features)
        latency_ms = (time.perf_counter_ns() - start) / 1e6
        if isinstance(found, str):
            return FrameScore(name, False, found, latency_ms=latency_ms)
        transform, inliers = found
        if inliers < MIN_INLIERS[self.name]:
            return FrameScore(name, False, "too_few_inliers", latency_ms=latency_ms)
        x, y = _apply(transform, np.array([[TILE_PX / 2, TILE_PX / 2]]))[0]
        lat, lon = pixel_to_latlon(x, y, view.level)
        at = offset_latlon(float(lat), float(lon), view.nadir_east_m, view.nadir_north_m)
        centre_en, vehicle_en = offset_m(centre, float(lat), float(lon)), offset_m(vehicle, *at)
        return FrameScore(
            name,
            True,
            centre_m=None if centre_en is None else math.hypot(*centre_en),
            vehicle_m=None if vehicle_en is None else math.hypot(*vehicle_en),
            latency_ms=latency_ms,
        )


def make_baselines(
    names: list[str], pack: MapPack, xfeat_weights: Path | None
) -> tuple[list[Baseline], list[str]]:
    """The baselines, and a sentence for each that there is not.

    Raises InputError: an unknown name, weights that are given but not there.
    """
    if unknown := sorted(set(names) - {"sift", "xfeat"}):
        raise InputError(f"--baseline: '{unknown[0]}' is not known; give sift, xfeat or both")
    made: list[Baseline] = []
    absent: list[str] = []
    if "sift" in names:
        features = MapFeatures(pack, sift_features)
        made.append(Baseline("sift", features, sift_features, _plain_sift))
        made.append(Baseline("sift+gates", features, sift_features, _gated_sift))
    if "xfeat" in names:
        path = xfeat_weights or default_xfeat_weights()
        if path is None:
            absent.append("xfeat: not run, its weights are not there; give --xfeat-weights FILE")
        else:
            detector = XfeatDetector(path)
            made.append(Baseline("xfeat", MapFeatures(pack, detector), detector, _xfeat))
    return made, absent


def default_xfeat_weights() -> Path | None:
    """Beside the repository, where it has been put there."""
    path = Path(__file__).parents[2] / "shared" / "weights" / "xfeat_onnx" / XFEAT_FILE
    return path if path.exists() else None


def _search_box(
    view: View, prior: Prior | None, pack: MapPack
) -> tuple[float, float, float, float]:
    if prior is None:
        south, west, north, east = pack.bounds
        left, top = latlon_to_pixel(north, west, view.level)
        right, bottom = latlon_to_pixel(south, east, view.level)
        return float(left), float(top), float(right), float(bottom)
    x, y = latlon_to_pixel(prior.lat_deg, prior.lon_deg, view.level)
    east_m, north_m = pixel_size_m(prior.lat_deg, view.level)
    reach_x = SIGMAS * prior.sigma_m / east_m + TILE_PX / 2
    reach_y = SIGMAS * prior.sigma_m / north_m + TILE_PX / 2
    return float(x - reach_x), float(y - reach_y), float(x + reach_x), float(y + reach_y)


def _plain_sift(view: Features, world: Features) -> tuple[Floats, int] | str:
    nearest = _nearest(view, world)
    if nearest is None:
        return "too_few_inliers"
    index, best, second = nearest
    keep = (2 - 2 * best) < RATIO**2 * (2 - 2 * second)
    return _similarity((view.xy[keep], world.xy[index[keep]]))


def _gated_sift(view: Features, world: Features) -> tuple[Floats, int] | str:
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


def _xfeat(view: Features, world: Features) -> tuple[Floats, int] | str:
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


def _similarity(matches: Matches) -> tuple[Floats, int] | str:
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
    middle = _apply(transform, np.array([[128.0, 128.0], [129.0, 128.0], [128.0, 129.0]]))
    right, down = middle[1] - middle[0], middle[2] - middle[0]
    area = right[0] * down[1] - right[1] * down[0]
    if area <= 0 or abs(math.log(math.sqrt(area))) > math.log(LEFT_OVER_SCALE):
        return "scale_disagrees"
    if abs(math.degrees(math.atan2(right[1], right[0]))) > LEFT_OVER_DEG:
        return "rotation_disagrees"
    return None


def _apply(transform: Floats, xy: Floats) -> Floats:
    mapped: Floats = np.column_stack([xy, np.ones(len(xy))]) @ transform.T
    return mapped[:, :2] / mapped[:, 2:] if transform.shape[0] == 3 else mapped
