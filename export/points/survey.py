"""Training material from a multi-view survey: locations, each seen by several photographs, by
one photograph that serves as the map, and as a point cloud.

A location is a square cell of ground; cells overlap by half. Its drone views and its map are
crops through the poses, rectified onto the horizontal plane at the cell's median height, so that
what stands above it leans differently in each, as it does in flight. Every MAP_EVERY-th
photograph is kept apart for maps and never is a view. The ground is split in two halves that
share none of it: trained on one, tested on the other (cross-area).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.points.reconstruction import Camera, load_reconstruction, rotation_of
from onboard.errors import InputError

MAP_EVERY = 3
# How far a drone's view strays from its cell: the errors of attitude, height and prior that are
# left when a view reaches retrieval (as export/overhead/pairs.py has them, the shift smaller,
# because the nearest of half-overlapping cells is meant)
SHIFT = 0.1  # of the cell's side
TURN = float(np.radians(10.0))
SCALE = 0.1
# of the cell's side: half a view turned, enlarged and shifted that far
REACH = 0.5 * (np.cos(TURN) + np.sin(TURN)) * (1 + SCALE) + SHIFT
FEWEST_VIEWS = 2
SEED = 1


@dataclass(frozen=True)
class Survey:
    """reconstruction: folder that `pilotage pointcloud` wrote; photographs: their folder.
    fewest_points: distinct ones in a cell; cloud_points are drawn from them."""

    reconstruction: Path
    photographs: Path
    cell_m: float = 12.0
    picture_px: int = 96
    most_views: int = 8
    cloud_points: int = 1024
    fewest_points: int = 512

    def __post_init__(self) -> None:
        if not self.cell_m > 0 or self.picture_px < 32:
            raise ValueError("cell_m must be positive, and picture_px at least 32")
        if self.most_views < FEWEST_VIEWS or self.cloud_points < 512 or self.fewest_points < 1:
            raise ValueError(
                f"most_views must be at least {FEWEST_VIEWS}, cloud_points 512, fewest_points 1"
            )


@dataclass(frozen=True)
class Location:
    """views: (V,S,S,3) uint8 BGR, north up but for each one's own error; map: (S,S,3) uint8,
    north up. cloud: (P,3) float32, centred, the farthest point at distance 1; drawn with
    replacement when the cell holds fewer than P."""

    east_m: float
    north_m: float
    views: NDArray[np.uint8]
    map: NDArray[np.uint8]
    cloud: NDArray[np.float32]


@dataclass(frozen=True)
class SurveyLocations:
    """dropped: why cells are missing -> how many."""

    train: tuple[Location, ...]
    test: tuple[Location, ...]
    dropped: dict[str, int]


def survey_locations(survey: Survey) -> SurveyLocations:
    """All locations, the same at every call.

    Raises InputError: no reconstruction in metres, a photograph that cannot be read, a half
    without two locations.
    """
    made = load_reconstruction(survey.reconstruction)
    if made.origin is None:
        raise InputError(
            f"{survey.reconstruction}: its unit is not the metre, as the photographs had no "
            "geotags; give positions to `pilotage pointcloud` by --poses"
        )
    photos = [_Photo(c, survey) for c in made.cameras]
    xyz = made.points.xyz
    low, high = np.percentile(xyz[:, :2], (1, 99), axis=0)
    across = int(np.argmax(high - low))
    line = float(np.median(xyz[:, across]))
    step = survey.cell_m / 2
    quarters = _quarters(xyz, low, step)
    halves: tuple[list[Location], list[Location]] = ([], [])
    dropped: Counter[str] = Counter()
    columns, rows = np.maximum(np.floor((high - low) / step).astype(int) - 1, 0)
    for number, (i, j) in enumerate(itertools.product(range(columns), range(rows))):
        centre = low + step * np.array((i + 1, j + 1))
        beyond = centre[across] - line
        if abs(beyond) < REACH * survey.cell_m:
            dropped["on the line between the halves"] += 1
            continue
        parts = (quarters.get((i + di, j + dj)) for di in (0, 1) for dj in (0, 1))
        inside = np.concatenate([np.empty((0, 3)), *(p for p in parts if p is not None)])
        location = _location(survey, photos, inside, centre, number)
        if isinstance(location, str):
            dropped[location] += 1
        else:
            halves[int(beyond > 0)].append(location)
    if min(map(len, halves)) < 2:
        raise InputError(
            f"{survey.reconstruction}: the survey gives {len(halves[0])} and {len(halves[1])} "
            "locations; each half needs two: make cell_m or fewest_points smaller"
        )
    return SurveyLocations(tuple(halves[0]), tuple(halves[1]), dict(dropped))


def _quarters(
    xyz: NDArray[np.float64], low: NDArray[np.float64], step: float
) -> dict[tuple[int, int], NDArray[np.float64]]:
    """The points by squares of half a cell's side, four of which make a cell."""
    square = np.floor((xyz[:, :2] - low) / step).astype(np.int64)
    order = np.lexsort(square.T)
    square, xyz = square[order], xyz[order]
    starts = np.flatnonzero(np.any(np.diff(square, axis=0, prepend=square[:1] - 1), axis=1))
    names = (tuple(map(int, square[s])) for s in starts)
    return dict(zip(names, np.split(xyz, starts[1:]), strict=True))  # type: ignore[arg-type]


def _location(
    survey: Survey,
    photos: Sequence[_Photo],
    inside: NDArray[np.float64],
    centre: NDArray[np.float64],
    number: int,
) -> Location | str:
    """The location, or why it is none; inside: the points of its cell."""
    if len(inside) < survey.fewest_points:
        return "too few points"
    rng = np.random.default_rng((SEED, number))
    height = float(np.median(inside[:, 2]))
    near = sorted(range(len(photos)), key=lambda i: photos[i].off_nadir(centre))
    square = _square(survey, centre, None)
    maps = (photos[i].crop(square, height) for i in near if i % MAP_EVERY == 0)
    chosen_map = next((m for m in maps if m is not None), None)
    if chosen_map is None:
        return "in no photograph kept for maps"
    views: list[NDArray[np.uint8]] = []
    for i in near:
        if i % MAP_EVERY and len(views) < survey.most_views:
            view = photos[i].crop(_square(survey, centre, rng), height)
            if view is not None:
                views.append(view)
    if len(views) < FEWEST_VIEWS:
        return "in too few photographs"
    few = len(inside) < survey.cloud_points
    cloud = inside[rng.choice(len(inside), survey.cloud_points, replace=few)]
    cloud = cloud - cloud.mean(0)
    cloud /= np.linalg.norm(cloud, axis=1).max()
    east, north = map(float, centre)
    return Location(east, north, np.stack(views), chosen_map, cloud.astype(np.float32))


def _square(
    survey: Survey, centre: NDArray[np.float64], rng: np.random.Generator | None
) -> NDArray[np.float64]:
    """(S,S,2) east and north of every pixel's middle, north up; with rng, a drone's errors."""
    size = survey.picture_px
    pixel = survey.cell_m / size
    across = (np.arange(size) + 0.5 - size / 2) * pixel
    offset = np.stack(np.meshgrid(across, -across), -1)
    if rng is None:
        return np.asarray(centre + offset)
    scale, turn = np.exp(rng.uniform(-1, 1) * np.log1p(SCALE)), rng.uniform(-TURN, TURN)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    shift = rng.uniform(-SHIFT, SHIFT, 2) * survey.cell_m
    return np.asarray(centre + shift + scale * offset @ rotation.T)


class _Photo:
    """A photograph shrunk to about the crops' pixel, and its way from ground to pixel."""

    def __init__(self, camera: Camera, survey: Survey) -> None:
        self._camera = camera
        self._rotation = rotation_of(camera)
        self._position = np.array(camera.position_m)
        path = survey.photographs / camera.file
        picture = cv2.imread(str(path))
        if picture is None or picture.shape[:2] != (camera.height_px, camera.width_px):
            raise InputError(
                f"{path}: cannot be read, or has another size than when it was placed; "
                "put the original there"
            )
        own_m = max(camera.position_m[2], 1.0) / camera.focal_px
        factor = max(1, int(survey.cell_m / survey.picture_px / own_m))
        size = (camera.width_px // factor, camera.height_px // factor)
        self._picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
        self._shrink = np.array(size) / (camera.width_px, camera.height_px)

    def off_nadir(self, centre: NDArray[np.float64]) -> float:
        return float(np.linalg.norm(self._position[:2] - centre))

    def crop(self, square: NDArray[np.float64], height_m: float) -> NDArray[np.uint8] | None:
        """(S,S,3) of the ground at height_m; None when it is not all in the photograph."""
        ground = np.concatenate((square, np.full((*square.shape[:2], 1), height_m)), -1)
        seen = (ground - self._position) @ self._rotation.T
        if not (seen[..., 2] > 0).all():
            return None
        xy = seen[..., :2] / seen[..., 2:]
        bent = 1.0 + self._camera.radial * (xy**2).sum(-1, keepdims=True)
        pixel = np.array(self._camera.centre_px) + self._camera.focal_px * bent * xy
        size = (self._camera.width_px, self._camera.height_px)
        if not ((pixel >= 0) & (pixel <= size)).all():
            return None
        at = (pixel * self._shrink - 0.5).astype(np.float32)
        cut = cv2.remap(
            self._picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(cut, np.uint8)
