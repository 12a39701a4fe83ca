"""Views cut out of the map itself, as flight would show that ground: off the tiles' grid, a
little turned and scaled by errors of yaw and height, through the camera's footprint, disturbed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from maps.localizability.disturbance import disturbed
from maps.localizability.places import Place
from onboard.camera import Camera
from onboard.geodesy import pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX, TILE_STRIDE_PX, View
from onboard.pack.map_pack import MapPack
from onboard.rectify import MIN_VALID_SHARE

ROTATION_SIGMA_RAD = math.radians(3.0)  # a calibrated compass near motors
SCALE_SIGMA = 0.03  # of the height above ground
MOST_SIGMAS = 2.0  # of both: an error beyond the gates says nothing of the place
CUT_PX = 400  # holds a view turned by any angle (256 * sqrt 2) and scaled by 6 %
HEIGHT_SIGMA_SHARE = 0.03  # of the height, as told


@dataclass(frozen=True)
class Footprint:
    """What a camera looking straight down shows of the ground: width_m, height_m from agl_m."""

    width_m: float
    height_m: float
    agl_m: float


def footprint_of(camera: Camera, agl_m: float) -> Footprint:
    fx, fy = camera.focal_px
    return Footprint(agl_m * camera.width_px / fx, agl_m * camera.height_px / fy, agl_m)


@dataclass(frozen=True)
class MapView:
    """centre_px: the map pixel that the view's centre really shows."""

    view: View
    centre_px: tuple[float, float]


def cut_view(
    pack: MapPack,
    place: Place,
    offset_px: tuple[float, float],
    footprint: Footprint,
    rng: np.random.Generator,
    strength: float,
) -> MapView | None:
    """A view whose centre lies offset_px (x, y; each within half a stride) off the place's
    centre. None where less of it is imagery than flight would use."""
    assert max(map(abs, offset_px)) <= TILE_STRIDE_PX / 2
    x, y = (c + o for c, o in zip(place.centre_px, offset_px, strict=True))
    left, top = math.floor(x - CUT_PX / 2), math.floor(y - CUT_PX / 2)
    cut = pack.picture(place.level, left, top, CUT_PX, CUT_PX)
    lat_deg = float(pixel_to_latlon(x, y, place.level)[0])
    east_m, north_m = pixel_size_m(lat_deg, place.level)
    turn = float(np.clip(rng.normal(), -MOST_SIGMAS, MOST_SIGMAS)) * ROTATION_SIGMA_RAD
    scale = 1.0 + float(np.clip(rng.normal(), -MOST_SIGMAS, MOST_SIGMAS)) * SCALE_SIGMA
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    middle, at = TILE_PX / 2, (x - left, y - top)
    # Pixel centres lie half a pixel inside their coordinates.
    to_cut = np.array(
        [
            [c, -s, at[0] - c * (middle - 0.5) + s * (middle - 0.5) - 0.5],
            [s, c, at[1] - s * (middle - 0.5) - c * (middle - 0.5) - 0.5],
        ]
    )
    size = (TILE_PX, TILE_PX)
    how = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    picture = cv2.warpAffine(cut, to_cut, size, flags=how)
    # Not one of the pixels that were mixed may have been a hole.
    shown = np.asarray(cut.any(2), np.uint8)
    whole = np.asarray(cv2.erode(shown, np.ones((3, 3), np.uint8)), np.uint8)
    mask = cv2.warpAffine(whole, to_cut, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST) > 0
    mask &= _seen(footprint, (east_m, north_m), float(rng.uniform(0, 2 * math.pi)))
    if mask.mean() < MIN_VALID_SHARE:
        return None
    ground = np.maximum(np.asarray(picture, np.uint8), np.uint8(1))
    ground = disturbed(ground, rng, strength)
    ground[~mask] = 0
    view = View(
        time_ns=0,
        picture=ground,
        mask=mask,
        level=place.level,
        east_m_per_px=east_m,
        north_m_per_px=north_m,
        nadir_east_m=0.0,
        nadir_north_m=0.0,
        agl_m=footprint.agl_m,
        height_sigma_m=HEIGHT_SIGMA_SHARE * footprint.agl_m,
    )
    return MapView(view, (x, y))


def _seen(footprint: Footprint, pixel_m: tuple[float, float], yaw: float) -> np.ndarray:
    """(256, 256) bool: the turned footprint around the view's centre."""
    steps = np.arange(TILE_PX) + 0.5 - TILE_PX / 2
    east, north = steps[None, :] * pixel_m[0], -steps[:, None] * pixel_m[1]
    ahead = north * math.cos(yaw) + east * math.sin(yaw)
    right = east * math.cos(yaw) - north * math.sin(yaw)
    inside = (np.abs(ahead) <= footprint.height_m / 2) & (np.abs(right) <= footprint.width_m / 2)
    return np.asarray(inside, np.bool_)
