"""Brings a reconstruction into metres east, north and up, by the photographs' geotags.

Up comes from the ground itself: the normal of the plane through most of the points, towards the
cameras. Altitude tags are not used: many cameras write altitudes that are off by tens of metres.
The similarity in east and north is the one with the least sum of distances to the geotags, so
that stray ones hardly pull it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.points.ply import PointCloud
from export.points.reconstruction import Camera, Origin, Reconstruction, rotation_of
from onboard.errors import InputError
from onboard.geodesy import enu_offset_m

Matrix = NDArray[np.float64]

PLANE_TRIES = 500
PLANE_TOLERANCE = 0.03  # of the cameras' distance to their points: grass, walls, relief
FEWEST_POINTS = 100
FEWEST_GEOTAGS = 5  # four numbers are fitted to two of each
MAX_SCATTER = 0.5  # of the geotags' median distance from their middle; unrelated ones give 0.8
REWEIGHTINGS = 100
NEAREST_M = 0.1  # residuals below it weigh alike
SEED = 1


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How far the geotags lie from where the reconstruction has their photographs, metres: the
    median; and the metres that a unit of the reconstruction became."""

    geotags: int
    scatter_m: float
    scale: float


def georeference(
    made: Reconstruction, geotags: Mapping[str, tuple[float, float]]
) -> tuple[Reconstruction, Agreement]:
    """made, turned and scaled; geotags: file -> (lat_deg, lon_deg) WGS84.

    The origin is the middle of the geotags, z = 0 the median height of the ground plane's
    points. Raises InputError: fewer than five geotags, or geotags that lie otherwise than the
    photographs were taken.
    """
    known = [c.file for c in made.cameras if c.file in geotags]
    if len(known) < FEWEST_GEOTAGS:
        raise InputError(
            f"{len(known)} of the placed photographs have a geotag; {FEWEST_GEOTAGS} are needed "
            "for metres, east and north: give their positions by --poses"
        )
    level = upright(made)
    tags = np.array([geotags[file] for file in known], np.float64)
    lat0, lon0 = (float(v) for v in np.median(tags, 0))
    east, north = enu_offset_m(lat0, lon0, tags[:, 0], tags[:, 1])
    wanted = east + 1j * north
    at = np.array([complex(*c.position_m[:2]) for c in level.cameras if c.file in geotags])
    factor, shift = _least_distances(at, wanted)
    scatter_m = float(np.median(np.abs(factor * at + shift - wanted)))
    extent_m = float(np.median(np.abs(wanted - wanted.mean())))
    if not scatter_m < MAX_SCATTER * extent_m:
        raise InputError(
            f"the geotags lie {scatter_m:.0f} m (median) from where the photographs were taken "
            f"relative to one another, on an area of only {extent_m:.0f} m; correct the positions "
            "or set them aside by --ignore-positions"
        )
    scale = abs(factor)
    turn = np.eye(3)
    turn[:2, :2] = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]]) / scale
    moved = _transformed(level, scale, turn, np.array((shift.real, shift.imag, 0.0)))
    placed = dataclasses.replace(moved, origin=Origin(lat0, lon0))
    return placed, Agreement(len(known), scatter_m, scale)


def _least_distances(
    at: NDArray[np.complex128], wanted: NDArray[np.complex128]
) -> tuple[complex, complex]:
    """(a, b) with the least sum of |a at + b - wanted|: a plane similarity as complex numbers,
    by iterated weights."""
    weight = np.ones(len(at))
    a, b = 1 + 0j, 0j
    for _ in range(REWEIGHTINGS):
        middle, goal = np.average(at, weights=weight), np.average(wanted, weights=weight)
        spread = (weight * np.abs(at - middle) ** 2).sum()
        a = complex((weight * (at - middle).conj() * (wanted - goal)).sum() / spread)
        b = complex(goal - a * middle)
        weight = 1.0 / np.maximum(np.abs(a * at + b - wanted), NEAREST_M)
    return a, b


def upright(made: Reconstruction) -> Reconstruction:
    """Turned so that z is up and 0 on the ground; scale and heading stay arbitrary.

    Raises InputError: too few points for a plane.
    """
    normal, offset = ground_plane(made)
    least = np.eye(3)[int(np.abs(normal).argmin())]
    east = np.cross(least, normal)
    east /= np.linalg.norm(east)
    turn = np.stack((east, np.cross(normal, east), normal))
    return _transformed(made, 1.0, turn, np.array((0.0, 0.0, -offset)))


def ground_plane(made: Reconstruction) -> tuple[Matrix, float]:
    """(normal towards the cameras, offset): normal @ x == offset for the ground's points."""
    xyz = made.points.xyz
    cameras = np.array([c.position_m for c in made.cameras])
    if len(xyz) < FEWEST_POINTS:
        raise InputError(f"the reconstruction has {len(xyz)} points; too few to find the ground")
    rng = np.random.default_rng(SEED)
    middle = np.median(xyz, 0)
    distance = float(np.median(np.linalg.norm(cameras - middle, axis=1)))
    best = np.zeros(len(xyz), np.bool_)
    for _ in range(PLANE_TRIES):
        a, b, c = xyz[rng.choice(len(xyz), 3, replace=False)]
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal)
        if length > 0:
            near = np.abs((xyz - a) @ (normal / length)) < PLANE_TOLERANCE * distance
            best = near if near.sum() > best.sum() else best
    ground = xyz[best]
    centre = ground.mean(0)
    normal = np.linalg.svd(ground - centre, full_matrices=False)[2][2]
    if np.median((cameras - centre) @ normal) < 0:
        normal = -normal
    return normal, float(np.median(ground @ normal))


def _transformed(made: Reconstruction, scale: float, turn: Matrix, shift: Matrix) -> Reconstruction:
    """x -> scale * turn @ x + shift for points and cameras."""

    def moved(camera: Camera) -> Camera:
        position = scale * turn @ np.array(camera.position_m) + shift
        rotation = rotation_of(camera) @ turn.T
        return dataclasses.replace(
            camera,
            rotation=tuple(tuple(map(float, row)) for row in rotation),
            position_m=tuple(map(float, position)),
        )

    xyz = scale * made.points.xyz @ turn.T + shift
    return dataclasses.replace(
        made,
        cameras=tuple(moved(c) for c in made.cameras),
        points=PointCloud(xyz, made.points.rgb),
    )
