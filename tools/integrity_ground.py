"""The ground that integrity's frames are taken of: imagery as a plane, seen at a true pose."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from onboard.camera import Camera
from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.messages import Floats, Picture
from onboard.telemetry_messages import Attitude

Read = Callable[[int, int, int, int, int], Picture]  # level, x, y, width, height
Bounds = tuple[float, float, float, float]  # south, west, north, east in degrees

MIN_SHOWN_SHARE = 0.7  # of the picture; with less the footprint leaves the imagery
MAX_CUT_PX = 4000  # the side of a footprint in imagery pixels; a steeper look is not drawn
HORIZON_COS = math.cos(math.radians(80.0))  # rays flatter than this reach no ground in reach


class Ground(Protocol):
    """name: of its imagery. areas: where a vehicle may be put, each as often as any other."""

    @property
    def name(self) -> str: ...

    @property
    def areas(self) -> tuple[Bounds, ...]: ...

    def on(self, number: int) -> Ground:
        """As it looks in the case of that number."""

    def seen_from(
        self, place: tuple[float, float], agl_m: float, attitude: Attitude, camera: Camera
    ) -> Picture | None:
        """(height_px, width_px, 3) BGR from (lat_deg, lon_deg), agl_m above the ground; None
        where too little of it shows ground."""


@dataclass(frozen=True)
class FlatImagery:
    """Imagery at one level of the map grid, laid on a plane."""

    name: str
    areas: tuple[Bounds, ...]
    level: int
    read: Read

    def on(self, number: int) -> FlatImagery:
        return self

    def seen_from(
        self, place: tuple[float, float], agl_m: float, attitude: Attitude, camera: Camera
    ) -> Picture | None:
        x, y = map(float, latlon_to_pixel(*place, self.level))
        pixel_m = pixel_size_m(place[0], self.level)
        ground_from_picture = self._ground_from_picture(camera, attitude, agl_m, pixel_m)
        w, h = camera.width_px, camera.height_px
        corners = np.array([[0, 0, 1], [w, 0, 1], [w, h, 1], [0, h, 1]], np.float64)
        rays = corners @ np.linalg.inv(camera.matrix).T
        down = rays @ camera.ned_from_optical(attitude)[2]
        if (down <= HORIZON_COS * np.linalg.norm(rays, axis=1)).any():
            return None
        feet = corners @ ground_from_picture.T
        feet = feet[:, :2] / feet[:, 2:] + (x, y)
        left, top = (math.floor(v) - 2 for v in feet.min(0))
        width, height = (math.ceil(v) + 3 for v in feet.max(0) - (left, top))
        if max(width, height) > MAX_CUT_PX:
            return None
        cut = self.read(self.level, left, top, width, height)
        to_cut = np.array([[1, 0, x - left], [0, 1, y - top], [0, 0, 1.0]])
        return _shot(cut, to_cut @ ground_from_picture, (w, h))

    def _ground_from_picture(
        self, camera: Camera, attitude: Attitude, agl_m: float, pixel_m: tuple[float, float]
    ) -> Floats:
        """(3,3) from homogeneous picture coordinates to map pixels around the vehicle."""
        ned = camera.ned_from_optical(attitude) @ np.linalg.inv(camera.matrix)
        north, east, down = ned
        out: Floats = np.stack([east * agl_m / pixel_m[0], -north * agl_m / pixel_m[1], down])
        return out


def _shot(cut: Picture, cut_from_picture: Floats, size: tuple[int, int]) -> Picture | None:
    """The cut through the lens; first made smaller where it is finer than the picture."""
    middle = cut_from_picture @ (size[0] / 2, size[1] / 2, 1.0)
    right = cut_from_picture @ (size[0] / 2 + 1, size[1] / 2, 1.0)
    fineness = float(np.linalg.norm(right[:2] / right[2] - middle[:2] / middle[2]))
    k = 2 ** max(0, math.floor(math.log2(max(fineness, 1e-6))))
    if k > 1:
        h, w = cut.shape[0] // k * k, cut.shape[1] // k * k
        small = cv2.resize(cut[:h, :w], (w // k, h // k), interpolation=cv2.INTER_AREA)
        cut = np.asarray(small, np.uint8)
    to_centres = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    from_centres = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    whole = to_centres @ np.diag([1 / k, 1 / k, 1]) @ cut_from_picture @ from_centres
    shot = cv2.warpPerspective(
        cut, whole, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderValue=(0, 0, 0)
    )
    if shot.any(2).mean() < MIN_SHOWN_SHARE:
        return None
    return np.asarray(shot, np.uint8)
