"""Training pairs: a tile of the map and a drone's view of the same ground, as unlike as they get.

A batch mixes several scenes and takes several places from each that do not overlap: the
neighbours are the hard negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.overhead.appearance import photograph
from export.overhead.scenes import Scene

PLACES_PER_SCENE = 4
GROUND_SIZE_M = (0.15, 0.8)  # of a pixel of training pictures, where the scene allows
FINEST_PIXEL = 0.8  # of an output pixel, in pixels of the scene: hardly magnified
HEIGHT_ERROR = 0.10  # 1 sigma-ish bound of height above ground, a scale
YAW_ERROR = np.radians(10.0)
CENTRE_REACH = (
    0.25  # of the picture's side: 50 % overlap brings every centre this close to a tile's
)
TILT = 0.06  # perspective left over by an attitude error, at the picture's border
PARALLAX_PX = 2.0  # 1 sigma of what relief and buildings displace
MIN_GROUND = 0.55  # share of a picture that must lie inside the scene
TRIES = 20


@dataclass(frozen=True)
class PairBatch:
    """views, tiles: (N,S,S,1) uint8, 0 where there is no ground. view_to_tile: (N,2,3)."""

    views: NDArray[np.uint8]
    tiles: NDArray[np.uint8]
    view_to_tile: NDArray[np.float32]


@dataclass(frozen=True)
class _Place:
    scene: Scene
    centre: NDArray[np.float64]  # in pixels of the finest level
    pixel: float  # size of an output pixel in those
    turn: float
    mirror: bool


def sample_batch(
    scenes: list[Scene],
    weights: NDArray[np.float64],
    size: int,
    pairs: int,
    rng: np.random.Generator,
) -> PairBatch:
    """pairs places, PLACES_PER_SCENE from a scene where it is large enough for so many."""
    views: list[NDArray[np.uint8]] = []
    tiles: list[NDArray[np.uint8]] = []
    transforms: list[NDArray[np.float32]] = []
    while len(views) < pairs:
        scene = scenes[int(rng.choice(len(scenes), p=weights))]
        wanted = min(PLACES_PER_SCENE, pairs - len(views))
        for place in _places(scene, size, wanted, rng):
            pair = make_pair(
                place.scene, place.centre, place.pixel, place.turn, size, rng, place.mirror
            )
            if pair is not None:
                views.append(pair[0][..., None])
                tiles.append(pair[1][..., None])
                transforms.append(pair[2])
    return PairBatch(np.stack(views), np.stack(tiles), np.stack(transforms))


def _places(scene: Scene, size: int, wanted: int, rng: np.random.Generator) -> list[_Place]:
    w, h = scene.size
    largest = max(FINEST_PIXEL, min(w, h) / (1.3 * size))
    finest, coarsest = (
        float(np.clip(m / scene.ground_size_m, FINEST_PIXEL, largest)) for m in GROUND_SIZE_M
    )
    if scene.ground_size_m > GROUND_SIZE_M[1]:  # coarse imagery lends its shapes, not its scale
        coarsest = largest
    pixel = float(np.exp(rng.uniform(np.log(finest), np.log(coarsest))))
    half = pixel * size / 2
    places: list[_Place] = []
    for _ in range(TRIES):
        if len(places) == wanted or 2 * half > min(w, h):
            break
        centre = np.array([rng.uniform(half, w - half), rng.uniform(half, h - half)])
        # any two pictures of two places are apart by a picture's side, whatever their turn
        if all(np.linalg.norm(centre - p.centre) > 2.2 * half for p in places):
            turn, mirror = float(rng.uniform(0, 2 * np.pi)), bool(rng.random() < 0.5)
            places.append(_Place(scene, centre, pixel, turn, mirror))
    return places


def make_pair(
    scene: Scene,
    centre: NDArray[np.float64],
    pixel: float,
    turn: float,
    size: int,
    rng: np.random.Generator,
    mirror: bool = False,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.float32]] | None:
    """One tile around `centre` and one view near it: (view, tile, view_to_tile), or None when
    too little ground is in either. pixel: size of an output pixel in scene pixels."""
    epochs = scene.epochs
    first = int(rng.integers(len(epochs)))
    second = int(rng.integers(len(epochs)))
    if len(epochs) > 1 and second == first:
        second = (first + 1) % len(epochs)
    tile_to_scene = _similarity(centre, pixel, turn, mirror, size)
    reach = CENTRE_REACH * size
    scale = float(np.exp(rng.uniform(-1, 1) * HEIGHT_ERROR))
    yaw = float(rng.uniform(-1, 1) * YAW_ERROR)
    c, s = scale * np.cos(yaw), scale * np.sin(yaw)
    half = size / 2
    shift = rng.uniform(-reach, reach, 2) + half
    view_to_tile = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    view_to_tile[:2, 2] = shift - view_to_tile[:2, :2] @ (half, half)
    tilt = np.eye(3)
    tilt[2, :2] = rng.uniform(-TILT, TILT, 2) / half * rng.random()
    around = np.array([[1, 0, half], [0, 1, half], [0, 0, 1]])
    tilt = around @ tilt @ np.linalg.inv(around)
    view_to_scene = tile_to_scene @ view_to_tile @ tilt
    tile_picture, tile_ground = cut(epochs[first], tile_to_scene, (size, size), None)
    view_picture, view_ground = cut(
        epochs[second], view_to_scene, (size, size), _parallax(size, rng)
    )
    view_ground = view_ground & _footprint(size, rng)
    if min(tile_ground.mean(), view_ground.mean() / 0.8) < MIN_GROUND:
        return None
    changes = bool(rng.random() < 0.7)
    tile = photograph(tile_picture, rng, changes=False) * tile_ground
    view = photograph(view_picture, rng, changes=changes) * view_ground
    return view, tile, view_to_tile[:2].astype(np.float32)


def _similarity(
    centre: NDArray[np.float64], pixel: float, turn: float, mirror: bool, size: int
) -> NDArray[np.float64]:
    c, s = pixel * np.cos(turn), pixel * np.sin(turn)
    m = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
    if mirror:
        m[:, 0] *= -1
    m[:2, 2] = centre - m[:2, :2] @ (size / 2, size / 2)
    return m


def cut(
    pyramid: tuple[NDArray[np.uint8], ...],
    to_scene: NDArray[np.float64],
    size: tuple[int, int],
    displacement: NDArray[np.float32] | None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Samples (width, height) pixels of the pyramid's level that is just finer than the
    output: the picture, and where it shows ground."""
    pixel = float(np.sqrt(abs(np.linalg.det(to_scene[:2, :2]))))
    level = int(np.clip(np.floor(np.log2(max(pixel, 1.0)) + 0.35), 0, len(pyramid) - 1))
    shrink = np.diag([0.5**level, 0.5**level, 1.0])
    grid = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32)
    x, y = grid[1] + 0.5, grid[0] + 0.5
    if displacement is not None:
        x, y = x + displacement[..., 0], y + displacement[..., 1]
    m = (shrink @ to_scene).astype(np.float32)
    w = m[2, 0] * x + m[2, 1] * y + m[2, 2]
    map_x = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / w - 0.5
    map_y = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / w - 0.5
    source = pyramid[level]
    picture = cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    ground = picture.max(2) > 0
    white_hole = picture.min(2) >= 255  # nodata of some mosaics
    if white_hole.mean() > 0.05:
        ground &= ~cv2.morphologyEx(
            white_hole.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8)
        ).astype(bool)
    return np.asarray(picture, np.uint8), np.asarray(ground, np.bool_)


def _parallax(size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth relief and blocky buildings leaning one way."""
    relief = rng.normal(0, PARALLAX_PX * rng.random(), (4, 4, 2)).astype(np.float32)
    field = cv2.resize(relief, (size, size), interpolation=cv2.INTER_CUBIC)
    direction = rng.normal(0, PARALLAX_PX * rng.random(), 2).astype(np.float32)
    blocks = cv2.resize(
        (rng.random((14, 14)) < 0.3).astype(np.float32),
        (size, size),
        interpolation=cv2.INTER_LINEAR,
    )
    return np.asarray(field + blocks[..., None] * direction, np.float32)


def _footprint(size: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The camera's rectangle on the ground, turned by the heading; or all of the view."""
    if rng.random() < 0.4:
        return np.ones((size, size), np.bool_)
    long_side = rng.uniform(0.95, 1.5) * size
    short_side = min(long_side, rng.uniform(0.6, 1.1) * size)
    box = cv2.boxPoints(((size / 2, size / 2), (long_side, short_side), float(rng.uniform(0, 180))))
    mask = cv2.fillConvexPoly(np.zeros((size, size), np.uint8), box.astype(np.int32), 1)
    return np.asarray(mask.astype(bool))
