"""What a real camera over a landscape sees: any attitude and lens, relief and buildings.

Every pixel's ray is followed down to the surface, so that what stands hides what is behind.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.scene import Scene, scene_of
from maps.world.sensor import develop
from onboard.camera import Camera
from onboard.messages import Picture
from onboard.telemetry_messages import Attitude

STEP_M = 0.8  # height between two looks at the surface on the way down
REFINEMENTS = 5  # halvings of the step that first went below the surface
FARTHEST_M = 2500.0  # sideways; what is farther away is sky
WALL_M = 0.6  # a ray that ends this far from the height of the cell it met looks at a side
WALL_GAIN = 0.72
BEHIND_EDGE_M = 0.5
SKY_BGR = (222, 205, 190)

Layer = NDArray[np.float32]


def render_perspective(
    landscape: Landscape,
    epoch: Epoch,
    camera: Camera,
    attitude: Attitude,
    east_m: float,
    north_m: float,
    agl_m: float,
    blur_m: tuple[float, float] = (0.0, 0.0),
    jpeg_quality: int | None = None,
) -> Picture:
    """The picture of a camera agl_m above the terrain at (east_m, north_m) of the landscape.

    blur_m: how far (east, north) it moves during the exposure. jpeg_quality: None for no
    compression. Returns (height_px, width_px, 3) BGR; ground is never (0, 0, 0), what lies
    outside the landscape is; above the horizon there is sky.

    Raises ValueError when the camera is below the highest roof or tree.
    """
    scene = scene_of(landscape, epoch)
    rays = _ground_rays(camera, attitude)
    eye_m = landscape.ground_m(east_m, north_m) + agl_m
    x, y, level, sky = _hits(landscape, scene, rays, (east_m, north_m, eye_m))
    light = _seen_light(landscape, scene, (x, y, level), (rays[..., 0], -rays[..., 1]))
    if any(blur_m):
        light = _moved(light, rays, agl_m, blur_m)
    light[sky] = SKY_BGR
    outside = (x < 0) | (y < 0) | (x > landscape.side_px) | (y > landscape.side_px)
    picture = develop(light, epoch, attitude.time_ns % 2**63)
    picture[outside & ~sky] = 0
    if jpeg_quality is not None:
        picture = through_jpeg(picture, jpeg_quality)
    return picture


def through_jpeg(picture: Picture, quality: int) -> Picture:
    """The picture after JPEG of a quality of 1 to 100."""
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _ground_rays(camera: Camera, attitude: Attitude) -> Layer:
    """(H, W, 3) east, north, down along every pixel's ray."""
    optical = _optical_rays(camera)
    ned = optical @ camera.ned_from_optical(attitude).T.astype(np.float32)
    return np.ascontiguousarray(ned[..., [1, 0, 2]])


@lru_cache(maxsize=2)
def _optical_rays(camera: Camera) -> Layer:
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    points = np.stack([x, y], axis=-1).reshape(-1, 1, 2)
    found = cv2.undistortPoints(points, camera.matrix, np.array(camera.distortion))
    rays = np.ones((camera.height_px, camera.width_px, 3), np.float32)
    rays[..., :2] = found.reshape(camera.height_px, camera.width_px, 2)
    return rays


def _hits(
    landscape: Landscape, scene: Scene, rays: Layer, eye: tuple[float, float, float]
) -> tuple[Layer, Layer, Layer, NDArray[np.bool_]]:
    """Fine-grid coordinates and height of the point each ray meets, and where there is none."""
    gsd = landscape.gsd_m
    lowest = float(landscape.terrain_m.min())
    drop = eye[2] - lowest
    sky = rays[..., 2] * FARTHEST_M <= drop * np.hypot(rays[..., 0], rays[..., 1])
    down = np.where(sky, np.float32(1), rays[..., 2])
    # Pixels sideways per metre of descent.
    per_pixel = np.float32(1 / gsd) / down
    slope_x, slope_y = rays[..., 0] * per_pixel, -rays[..., 1] * per_pixel
    slope_x[sky] = slope_y[sky] = 0
    x0, y0 = eye[0] / gsd, (landscape.size_m - eye[1]) / gsd
    surface, corner = _surface(landscape, scene, (x0, y0), (slope_x, slope_y), drop)
    top = float(surface.max())
    if eye[2] <= top:
        raise ValueError(f"the camera at {eye[2]:.0f} m is below the highest object, {top:.0f} m")

    def above(depth: Layer) -> Layer:
        at_x = slope_x * depth + np.float32(x0 - corner[0] - 0.5)
        at_y = slope_y * depth + np.float32(y0 - corner[1] - 0.5)
        met = cv2.remap(surface, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(np.float32(eye[2]) - depth - met, np.float32)

    low, high = np.float32(eye[2] - top), np.float32(eye[2] - float(surface.min()))
    depth = np.full(sky.shape, high, np.float32)
    found = np.zeros(sky.shape, bool)
    for level in np.arange(low, high + STEP_M, STEP_M, dtype=np.float32):
        below = (above(np.full(sky.shape, level, np.float32)) <= 0) & ~found
        depth[below] = level
        found |= below
        if found.all():
            break
    step = np.float32(STEP_M)
    for _ in range(REFINEMENTS):
        step /= 2
        depth -= np.where(above(depth - step) <= 0, step, np.float32(0))
    return slope_x * depth + np.float32(x0), slope_y * depth + np.float32(y0), eye[2] - depth, sky


def _surface(
    landscape: Landscape,
    scene: Scene,
    eye_px: tuple[float, float],
    slope: tuple[Layer, Layer],
    drop_m: float,
) -> tuple[Layer, tuple[int, int]]:
    """Height of everything that the rays can reach, and the (column, row) of its corner."""
    side, corner, window = landscape.side_px, [], []
    for at, along in zip(eye_px, slope, strict=True):
        first = math.floor(at + min(0.0, float(along.min()) * drop_m)) - 2
        last = math.ceil(at + max(0.0, float(along.max()) * drop_m)) + 3
        first, last = min(max(first, 0), side - 2), max(min(last, side), 2)
        corner.append(first)
        window.append(slice(first, max(last, first + 2)))
    cols, rows = window
    scene.prepare(rows, cols)
    objects = scene.height_cm[rows, cols] * np.float32(0.01)
    return objects + landscape.terrain_window(rows, cols), (corner[0], corner[1])


def _seen_light(
    landscape: Landscape, scene: Scene, hit: tuple[Layer, Layer, Layer], away: tuple[Layer, Layer]
) -> NDArray[np.uint8]:
    """Colour where the rays end; sides of buildings and trees are darker than their tops."""
    x, y, level = hit
    inside = (x >= 0) & (y >= 0) & (x < landscape.side_px) & (y < landscape.side_px)
    if not inside.any():
        return np.ones((*x.shape, 3), np.uint8)
    left, top = int(x[inside].min()), int(y[inside].min())
    right = min(int(x[inside].max()) + 2, landscape.side_px)
    bottom = min(int(y[inside].max()) + 2, landscape.side_px)
    window = slice(top, bottom), slice(left, right)
    at_x, at_y = x - np.float32(left + 0.5), y - np.float32(top + 0.5)
    # Where a pixel sees more than one grid cell, average first.
    across = float(np.median(np.hypot(np.diff(x, axis=1), np.diff(y, axis=1))))
    shrink = max(1, round(across))
    colour = scene.colour[window]
    if shrink > 1:
        colour = np.asarray(cv2.blur(colour, (shrink, shrink)), np.uint8)
    light = cv2.remap(colour, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    objects = cv2.remap(scene.height_cm[window], at_x, at_y, cv2.INTER_NEAREST) * np.float32(0.01)
    terrain = landscape.terrain_window(*window)
    ground = cv2.remap(terrain, at_x, at_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    side = np.abs(ground + objects - level) > WALL_M
    # Take a side's colour from behind its edge, where the grid shows the top only.
    behind = np.float32(BEHIND_EDGE_M / landscape.gsd_m)
    reach = np.maximum(np.hypot(*away), np.float32(1e-6))
    top_colour = cv2.remap(
        scene.colour[window],
        at_x + away[0] / reach * behind,
        at_y + away[1] / reach * behind,
        cv2.INTER_NEAREST,
        borderMode=cv2.BORDER_REPLICATE,
    )
    light[side] = (top_colour[side] * np.float32(WALL_GAIN)).astype(np.uint8)
    return np.asarray(light, np.uint8)


def _moved(
    light: NDArray[np.uint8], rays: Layer, agl_m: float, blur_m: tuple[float, float]
) -> NDArray[np.uint8]:
    """Blurred along the picture direction in which the ground moves during the exposure."""
    h, w = light.shape[:2]
    mid = rays[h // 2 - 1 : h // 2 + 1, w // 2 - 1 : w // 2 + 1]
    ground = mid[..., :2] / np.maximum(mid[..., 2:], 1e-3) * agl_m
    to_pixels = np.linalg.inv(
        np.stack([ground[0, 1] - ground[0, 0], ground[1, 0] - ground[0, 0]], 1)
    )
    dx, dy = to_pixels @ np.array(blur_m)
    length = math.hypot(dx, dy)
    if length < 0.5:
        return light
    taps = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((taps, taps), np.float32)
    middle = taps // 2
    for t in np.linspace(-0.5, 0.5, 4 * taps):
        kernel[round(middle + t * dy), round(middle + t * dx)] += 1
    return np.asarray(cv2.filter2D(light, -1, kernel / kernel.sum()), np.uint8)
