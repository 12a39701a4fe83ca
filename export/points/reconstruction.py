"""Where photographs were taken and the points that they saw: in memory, and as files."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.points.ply import PointCloud, read_ply, write_ply
from onboard.errors import InputError
from onboard.settings import settings_from_table
from onboard.whole_file import make_folder, write_whole

POINTS_FILE, CAMERAS_FILE = "points.ply", "cameras.json"
ROTATION_TOLERANCE = 1e-4  # of R R^T against the identity: more is no rotation


@dataclass(frozen=True)
class Camera:
    """One photograph's lens and pose. A ground point X projects to the pixel
    centre_px + focal_px * (1 + radial * r^2) * (x, y), (x, y, 1) ~ rotation @ (X - position_m),
    r^2 = x^2 + y^2; a pixel's middle is at (0.5, 0.5). The frame is camera x right, y down."""

    file: str
    width_px: int
    height_px: int
    focal_px: float
    centre_px: tuple[float, float]
    radial: float
    rotation: tuple[tuple[float, ...], ...]
    position_m: tuple[float, ...]

    def __post_init__(self) -> None:
        matrix = np.array(self.rotation, np.float64)
        if matrix.shape != (3, 3) or len(self.position_m) != 3:
            raise ValueError(f"'{self.file}' has no 3x3 rotation and position of three numbers")
        if not np.abs(matrix @ matrix.T - np.eye(3)).max() < ROTATION_TOLERANCE:
            raise ValueError(f"the rotation of '{self.file}' is none")
        if not (self.focal_px > 0 and min(self.width_px, self.height_px) > 0):
            raise ValueError(f"focal_px, width_px and height_px of '{self.file}' must be positive")
        if not all(map(math.isfinite, (self.radial, *self.centre_px, *self.position_m))):
            raise ValueError(f"'{self.file}' holds a number that is none")


@dataclass(frozen=True)
class Origin:
    """Where (0, 0) of the east-north-up frame lies, WGS84."""

    lat_deg: float
    lon_deg: float


@dataclass(frozen=True)
class Reconstruction:
    """cameras of the photographs that found their place; unplaced: the others' names. origin:
    of metres east, north, up (z = 0 is the ground's middle height); None: another unit, up
    only. reprojection_px: mean over the points, NaN where the maker tells none."""

    cameras: tuple[Camera, ...]
    points: PointCloud
    unplaced: tuple[str, ...] = ()
    origin: Origin | None = None
    reprojection_px: float = math.nan
    made_by: str = ""


@dataclass(frozen=True)
class _CamerasFile:
    cameras: tuple[Camera, ...]
    unplaced: tuple[str, ...] = ()
    origin: Origin | None = None
    reprojection_px: float | None = None
    made_by: str = ""


def rotation_of(camera: Camera) -> NDArray[np.float64]:
    """(3,3) world to camera."""
    return np.array(camera.rotation, np.float64)


def save_reconstruction(made: Reconstruction, folder: Path) -> None:
    """Writes points.ply, then cameras.json (whose presence says that both are whole)."""
    make_folder(folder)
    write_ply(folder / POINTS_FILE, made.points)
    error = made.reprojection_px
    known = None if math.isnan(error) else error
    told = _CamerasFile(made.cameras, made.unplaced, made.origin, known, made.made_by)
    table = {k: v for k, v in asdict(told).items() if v is not None}
    write_whole(folder / CAMERAS_FILE, json.dumps(table, indent=1) + "\n")


def load_reconstruction(folder: Path) -> Reconstruction:
    """Raises InputError: a file absent or damaged, an unknown key, a value that cannot be."""
    path = folder / CAMERAS_FILE
    try:
        table: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); make it with `pilotage pointcloud`"
        ) from e
    except ValueError as e:
        raise InputError(f"{path}: not valid JSON ({e}); make it again") from e
    if not isinstance(table, dict):
        raise InputError(f"{path}: not a table of cameras; make it again")
    told = settings_from_table(table, _CamerasFile, str(path))
    error = math.nan if told.reprojection_px is None else told.reprojection_px
    points = read_ply(folder / POINTS_FILE)
    return Reconstruction(told.cameras, points, told.unplaced, told.origin, error, told.made_by)
