"""A camera's picture into the north-up metric view of the ground that the map is compared with.

The ground is taken as a plane at the given height below the camera, or, where the map tells of
slopes that matter, as it rises and falls. Each view pixel is a point of the ground, projected
through the lens into the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.camera import Camera
from onboard.geodesy import pixel_size_m
from onboard.ground.relief import Relief
from onboard.ground.view_depths import MIN_AGL_M, Maps, view_centre, view_depths
from onboard.messages import TILE_PX, Floats, Frame, Picture, Refusal, View
from onboard.reasons import Reason, Stage
from onboard.telemetry_messages import Attitude, Height

MAX_AGL_M = 10_000.0  # the limit of unpressurised flight, and far above any map's use
MAX_CENTRE_TILT_RAD = math.radians(70.0)  # of the picture's centre from nadir; 60 must work
MAX_RAY_TILT_RAD = math.radians(75.0)  # beyond, a pixel covers 4x its depth and more: no ground
MIN_VALID_SHARE = 0.2  # of the view's pixels that show ground
GOOD_VALID_SHARE = 0.5  # what a level has to give to be chosen for its larger coverage
LEVEL_SLACK = 0.07  # of the share, by which a level is kept: 7 % of the height
EDGE_PX = 0.5  # picture pixels next to the border are left out
DENSITY_STEP_PX = 16  # spacing of the view pixels at which the picture's fineness is measured


def rectify(
    frame: Frame,
    attitude: Attitude,
    height: Height,
    camera: Camera,
    level: int,
    lat_deg: float,
    relief: Relief | None = None,
) -> View | Refusal:
    """The 256x256 view at the map's pixel size at `level`, centred on the ground point under
    the picture's centre.

    lat_deg: roughly where, for the map's pixel size. relief: around the vehicle; without it the
    ground is a plane. Ground that it doesn't know is left out of a view over slopes. Refuses a
    picture that doesn't fit the camera (BAD_PICTURE), HEIGHT_OUT_OF_RANGE, TOO_OBLIQUE,
    VIEW_TOO_SMALL.
    """

    def refusal(reason: Reason, detail: str) -> Refusal:
        return Refusal(frame.time_ns, Stage.RECTIFY, reason, detail)

    def out_of_range(agl_m: float) -> Refusal:
        return refusal(
            Reason.HEIGHT_OUT_OF_RANGE,
            f"{agl_m:.1f} m above ground, usable are {MIN_AGL_M:.0f} to {MAX_AGL_M:.0f} m",
        )

    if frame.image is None:
        return refusal(Reason.BAD_PICTURE, "no picture")
    try:
        camera = camera.for_size(frame.image.shape[1], frame.image.shape[0])
    except ValueError as e:
        return refusal(Reason.BAD_PICTURE, str(e))
    if not MIN_AGL_M <= height.agl_m <= MAX_AGL_M:
        return out_of_range(height.agl_m)
    ned_from_optical = camera.ned_from_optical(attitude)
    ray = ned_from_optical @ centre_ray(camera)
    tilt = float(np.arccos(np.clip(ray[2] / np.linalg.norm(ray), -1.0, 1.0)))
    if not tilt <= MAX_CENTRE_TILT_RAD:
        return refusal(
            Reason.TOO_OBLIQUE,
            f"the camera looks {math.degrees(tilt):.0f} deg away from straight down, "
            f"usable is up to {math.degrees(MAX_CENTRE_TILT_RAD):.0f}",
        )
    east_m, north_m = pixel_size_m(lat_deg, level)
    centre = view_centre(ray, height, relief)
    if centre.depth_m < MIN_AGL_M:
        return out_of_range(centre.depth_m)
    steps = np.arange(TILE_PX, dtype=np.float64) + 0.5 - TILE_PX / 2
    map_x, map_y, mask = project_ground(
        camera,
        ned_from_optical,
        view_depths(centre, relief, height.agl_m, (east_m, north_m)),
        (centre.east_m + steps * east_m)[None, :],
        (centre.north_m - steps * north_m)[:, None],
    )
    share = float(mask.mean())
    if share < MIN_VALID_SHARE:
        return refusal(
            Reason.VIEW_TOO_SMALL,
            f"{share:.0%} of the view shows ground, needed are {MIN_VALID_SHARE:.0%}",
        )
    return View(
        time_ns=frame.time_ns,
        picture=_sample(frame.image, map_x, map_y, mask),
        mask=mask,
        level=level,
        east_m_per_px=east_m,
        north_m_per_px=north_m,
        nadir_east_m=-centre.east_m,
        nadir_north_m=-centre.north_m,
        agl_m=centre.depth_m,
        height_sigma_m=centre.sigma_m,
    )


def choose_level(
    levels: Sequence[int],
    agl_m: float,
    camera: Camera,
    lat_deg: float,
    before: int | None = None,
) -> int:
    """The coarsest level whose view the footprint still fills by GOOD_VALID_SHARE: the more
    ground a view holds, the less it looks like another place. The finest if none does.
    before: the last view's, which is kept for a little more or less: motion is only seen
    between views of one level.

    The footprint is that of a camera looking straight down; an oblique one is larger.
    """
    (fx, fy) = camera.focal_px
    width_m, height_m = agl_m * camera.width_px / fx, agl_m * camera.height_px / fy
    for level in sorted(levels):
        side_m = TILE_PX * pixel_size_m(lat_deg, level)[0]
        filled = min(width_m, side_m) * min(height_m, side_m) / side_m**2
        slack = 0.0
        if before is not None:
            slack = LEVEL_SLACK if level < before else -LEVEL_SLACK
        if filled >= GOOD_VALID_SHARE + slack:
            return level
    return max(levels)


def centre_ray(camera: Camera) -> Floats:
    """(3,) ray in the optical frame, with z = 1, through the middle of the picture."""
    return np.append(_undistort(camera, [(camera.width_px / 2, camera.height_px / 2)])[0], 1.0)


def project_ground(
    camera: Camera,
    ned_from_optical: Floats,
    depth_m: float | Maps,
    east_m: Floats,
    north_m: Floats,
) -> tuple[Maps, Maps, NDArray[np.bool_]]:
    """Picture coordinates x, y of ground points east_m, north_m of the point below the camera and
    depth_m below it (all broadcast against one another, depth 0 where unknown), and whether the
    picture shows them."""
    r = ned_from_optical.astype(np.float32)
    e, n = np.float32(1) * east_m.astype(np.float32), north_m.astype(np.float32)
    down = np.asarray(depth_m, np.float32)
    z = n * r[0, 2] + e * r[1, 2] + down * r[2, 2]
    seen = z > 1e-3 * down  # in front of the lens
    seen &= e * e + n * n <= np.square(down * np.float32(math.tan(MAX_RAY_TILT_RAD)))
    inverse = 1 / np.where(seen, z, np.float32(1))
    x = (n * r[0, 0] + e * r[1, 0] + down * r[2, 0]) * inverse
    y = (n * r[0, 1] + e * r[1, 1] + down * r[2, 1]) * inverse
    if any(camera.distortion):
        r2 = x * x + y * y
        # Beyond the picture's own rays the polynomial may fold back into the picture.
        seen &= r2 <= np.float32(_largest_radius2(camera))
        r2 = np.where(seen, r2, np.float32(0))
        k1, k2, p1, p2, k3 = map(np.float32, camera.distortion)
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        xy = 2 * x * y
        x, y = (
            x * radial + p1 * xy + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + p2 * xy,
        )
    (fx, fy), (cx, cy) = camera.focal_px, camera.principal_px
    x = x * np.float32(fx) + np.float32(cx)
    y = y * np.float32(fy) + np.float32(cy)
    seen &= (x >= EDGE_PX) & (x <= camera.width_px - EDGE_PX)
    seen &= (y >= EDGE_PX) & (y <= camera.height_px - EDGE_PX)
    return x, y, seen


def _sample(image: Picture, x: Maps, y: Maps, mask: NDArray[np.bool_]) -> Picture:
    """The picture at x, y; first made smaller by area averaging where it is finer than the
    view, so that nothing aliases and a huge picture costs little."""
    step = DENSITY_STEP_PX
    with np.errstate(invalid="ignore"):
        dxu, dxv = np.diff(x[::step, ::step], axis=1)[:-1], np.diff(x[::step, ::step], axis=0)
        dyu, dyv = np.diff(y[::step, ::step], axis=1)[:-1], np.diff(y[::step, ::step], axis=0)
        area = np.abs(dxu * dyv[:, :-1] - dxv[:, :-1] * dyu)[mask[::step, ::step][:-1, :-1]]
    fineness = math.sqrt(float(np.median(area))) / step if area.size else 1.0
    halvings = max(0, round(math.log2(fineness)))  # halving is much the fastest reduction
    k = 2**halvings
    seen_x, seen_y = x[mask], y[mask]
    left, top = int(seen_x.min()) // k * k, int(seen_y.min()) // k * k
    right = min(image.shape[1] // k * k, (int(seen_x.max()) // k + 2) * k)
    bottom = min(image.shape[0] // k * k, (int(seen_y.max()) // k + 2) * k)
    small = image[top:bottom, left:right]
    for _ in range(halvings):
        half = (small.shape[1] // 2, small.shape[0] // 2)
        small = np.asarray(cv2.resize(small, half, interpolation=cv2.INTER_AREA), np.uint8)
    sampled = cv2.remap(
        small,
        (x - np.float32(left)) * np.float32(1 / k) - np.float32(0.5),
        (y - np.float32(top)) * np.float32(1 / k) - np.float32(0.5),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    ground = np.maximum(sampled, 1)  # (0, 0, 0) means no ground
    return np.asarray(cv2.copyTo(ground, mask.astype(np.uint8)), np.uint8)


def _undistort(camera: Camera, points: Sequence[tuple[float, float]]) -> Floats:
    """(N,2) normalised coordinates (z = 1) of picture coordinates."""
    points_px = np.array(points, np.float64)[:, None]
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-10)
    found = cv2.undistortPointsIter(
        points_px, camera.matrix, np.array(camera.distortion), np.eye(3), np.eye(3), criteria
    )
    return np.asarray(found[:, 0], np.float64)


@lru_cache(maxsize=8)
def _largest_radius2(camera: Camera) -> float:
    """Squared normalised radius of the farthest ray that the picture holds, and a little more."""
    w, h = camera.width_px, camera.height_px
    border = [(w * i / 8, y) for i in range(9) for y in (0.0, h)]
    border += [(x, h * i / 8) for i in range(9) for x in (0.0, w)]
    return 1.02 * float(np.max(np.sum(_undistort(camera, border) ** 2, axis=1)))
