"""A dense point cloud from photographs whose poses are known: stereo matching pair by pair.

COLMAP's sparse points are corners; fields and roads stay empty, and its own dense matching
needs a GPU. Here neighbouring photographs are turned so that the ground moves along their rows,
matched by semi-global matching, and what at least two pairs agree upon is kept, one point per
cube of space.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.points.cubes import cube_numbers
from export.points.ply import PointCloud
from export.points.reconstruction import Camera, Reconstruction, rotation_of
from onboard.errors import InputError

Matrix = NDArray[np.float64]

BASE_TO_DISTANCE = (0.08, 0.4)  # nearer cameras tell little of depth, farther ones match badly
PAIRS_PER_CAMERA = 2
MAX_TILT = np.cos(np.radians(25.0))  # between the two optical axes
WORKING_PX = 640  # longer side while matching
CUBE = 0.005  # side of a cube, in distances between the cameras and the ground
DEPTH_MARGIN = 1.25  # around the sparse points' depths, for what stands out
NEAREST = 0.1  # of a distance: sparse points nearer to a camera are wrong ones
FEWEST_POINTS = 20  # sparse ones that a pair must see for its depths to be known


def stereo_pairs(made: Reconstruction) -> list[tuple[int, int]]:
    """Indices of cameras that see much of the same ground from places not too far apart."""
    centres = np.array([c.position_m for c in made.cameras])
    axes = np.array([c.rotation[2] for c in made.cameras])
    distance = ground_distance(made)
    pairs = set[tuple[int, int]]()
    for i, centre in enumerate(centres):
        base = np.linalg.norm(centres - centre, axis=1) / distance
        fit = (base > BASE_TO_DISTANCE[0]) & (base < BASE_TO_DISTANCE[1])
        fit &= axes @ axes[i] > MAX_TILT
        near = sorted(np.flatnonzero(fit), key=lambda j: float(base[j]))[:PAIRS_PER_CAMERA]
        pairs |= {(min(i, int(j)), max(i, int(j))) for j in near}
    return sorted(pairs)


def ground_distance(made: Reconstruction) -> float:
    """Median depth of the points, seen from the cameras above them."""
    xyz = made.points.xyz[:: max(1, len(made.points.xyz) // 2000)]
    depths = [((xyz - c.position_m) @ np.array(c.rotation[2])) for c in made.cameras]
    return float(np.median(np.concatenate(depths)))


def dense_cloud(
    made: Reconstruction, folder: Path, progress: Callable[[str, int, int], None]
) -> PointCloud:
    """The points of `made`'s frame and unit, with colours; folder: the photographs'.

    Raises InputError: a photograph that cannot be read, no pair fit for stereo.
    """
    pairs = stereo_pairs(made)
    if not pairs:
        raise InputError(
            f"{folder}: no two photographs stand near enough for stereo; use the sparse points"
        )
    side = CUBE * ground_distance(made)
    keys, points, colours = [], [], []
    for done, (i, j) in enumerate(pairs, 1):
        xyz, rgb = _match(made, made.cameras[i], made.cameras[j], folder)
        cubes = cube_numbers(xyz, side)
        cubes, first = np.unique(cubes, return_index=True)  # each pair has one say in a cube
        keys.append(cubes)
        points.append(xyz[first].astype(np.float32))
        colours.append(rgb[first])
        progress("dense", done, len(pairs))
    all_keys = np.concatenate(keys)
    _, first, votes = np.unique(all_keys, return_index=True, return_counts=True)
    kept = first[votes >= 2]
    return PointCloud(
        np.concatenate(points)[kept].astype(np.float64), np.concatenate(colours)[kept]
    )


def _match(
    made: Reconstruction, left: Camera, right: Camera, folder: Path
) -> tuple[Matrix, NDArray[np.uint8]]:
    """(N,3) points and (N,3) colours that the pair agrees upon."""
    base = np.array(right.position_m) - np.array(left.position_m)
    length = float(np.linalg.norm(base))
    x = base / length
    z = np.array(left.rotation[2]) + np.array(right.rotation[2])
    z -= (z @ x) * x
    z /= np.linalg.norm(z)
    frame = np.stack((x, np.cross(z, x), z))  # world to the rectified pair
    size = max(left.width_px, left.height_px)
    shrink = WORKING_PX / size
    focal = left.focal_px * shrink
    lens = np.array([[focal, 0, WORKING_PX / 2], [0, focal, WORKING_PX / 2], [0, 0, 1]])
    a, b = (_rectified(c, frame, lens, folder) for c in (left, right))
    seen = (made.points.xyz - np.array(left.position_m)) @ frame.T
    seen = seen[seen[:, 2] > NEAREST * ground_distance(made)]
    seen = seen[(np.abs(seen[:, :2]) * focal < WORKING_PX / 2 * seen[:, 2:]).all(1)]
    if len(seen) < FEWEST_POINTS:
        return np.empty((0, 3)), np.empty((0, 3), np.uint8)
    near, far = np.percentile(seen[:, 2], (1, 99))
    least = int(focal * length / (far * DEPTH_MARGIN))
    most = int(np.ceil(focal * length / (near / DEPTH_MARGIN)))
    matcher = cv2.StereoSGBM.create(
        minDisparity=least,
        numDisparities=max(16, -(-(most - least) // 16) * 16),
        blockSize=5,
        P1=8 * 25,
        P2=32 * 25,
        disp12MaxDiff=1,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=2,
    )
    gray = [cv2.cvtColor(p, cv2.COLOR_BGR2GRAY) for p in (a, b)]
    disparity = matcher.compute(gray[0], gray[1]).astype(np.float64) / 16
    v, u = np.nonzero((disparity > max(least, 1)) & (gray[0] > 0))
    z_of = focal * length / disparity[v, u]
    rays = np.stack(
        ((u + 0.5 - WORKING_PX / 2) / focal, (v + 0.5 - WORKING_PX / 2) / focal, np.ones(len(u))), 1
    )
    xyz = (rays * z_of[:, None]) @ frame + np.array(left.position_m)
    return xyz, np.ascontiguousarray(a[v, u, ::-1])


def _rectified(camera: Camera, frame: Matrix, lens: Matrix, folder: Path) -> NDArray[np.uint8]:
    """(S,S,3) BGR of the photograph as a camera with axes `frame` would have taken it."""
    picture = cv2.imread(str(folder / camera.file))
    if picture is None or picture.shape[:2] != (camera.height_px, camera.width_px):
        raise InputError(
            f"{folder / camera.file}: cannot be read, or has another size than when it was "
            "placed; put the original there"
        )
    cx, cy = camera.centre_px
    own = np.array([[camera.focal_px, 0, cx - 0.5], [0, camera.focal_px, cy - 0.5], [0, 0, 1]])
    # OpenCV has the middle of the first pixel at 0, COLMAP at 0.5
    shifted = lens - np.array([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]])
    turn = frame @ rotation_of(camera).T
    maps = cv2.initUndistortRectifyMap(
        own, np.array([camera.radial, 0, 0, 0]), turn, shifted, (WORKING_PX, WORKING_PX), cv2.CV_32F
    )
    picture = cv2.GaussianBlur(picture, (0, 0), 0.5 * camera.width_px / WORKING_PX / 2)
    return np.asarray(cv2.remap(picture, *maps, cv2.INTER_LINEAR), np.uint8)
