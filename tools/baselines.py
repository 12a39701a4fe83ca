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

import numpy as np

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, offset_latlon, pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX, Picture, Prior, View
from onboard.pack.map_pack import MapPack
from tools.baseline_features import Features, MapFeatures, XfeatDetector, sift_features
from tools.baseline_matching import (
    Found,
    apply_transform,
    match_gated_sift,
    match_sift,
    match_xfeat,
)
from tools.scores import FrameScore, offset_m

SIGMAS = 3.0  # the map is searched this far around the prior, as by our own retrieval
MIN_INLIERS = {"sift": 6, "sift+gates": 6, "xfeat": 10}
XFEAT_FILE = "xfeat_640x640_036580a1.onnx"


@dataclass(frozen=True)
class Baseline:
    """estimate takes view and map features and gives a 2x3 or 3x3 view-to-map transform with
    its number of inliers, or a reason why not."""

    name: str
    map_features: MapFeatures
    detect: Callable[[Picture], Features]
    estimate: Callable[[Features, Features], Found | str]

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
        x, y = apply_transform(transform, np.array([[TILE_PX / 2, TILE_PX / 2]]))[0]
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
        made.append(Baseline("sift", features, sift_features, match_sift))
        made.append(Baseline("sift+gates", features, sift_features, match_gated_sift))
    if "xfeat" in names:
        path = xfeat_weights or default_xfeat_weights()
        if path is None:
            absent.append("xfeat: not run, its weights are not there; give --xfeat-weights FILE")
        else:
            detector = XfeatDetector(path)
            made.append(Baseline("xfeat", MapFeatures(pack, detector), detector, match_xfeat))
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
