"""The files of an AnyVisLoc scene: its maps' frames, and each picture's camera."""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.datasets.text_files import number, read_json
from onboard.errors import InputError
from onboard.messages import Picture

MIN_SINE = 1e-6  # of the angle below the horizon, as the authors guard it


@dataclass(frozen=True)
class MapMode:
    """One map of a scene. origin_m: local (x, y) of its upper left corner."""

    map_path: Path
    metres_per_px: tuple[float, float]
    origin_m: tuple[float, float]


@dataclass(frozen=True)
class Shot:
    """One picture's camera: local x, y and height above ground (m), pitch as the authors count
    it (0 looks straight down), yaw clockwise from the map's up; focal length and the shorter
    side in pixels."""

    x_m: float
    y_m: float
    height_m: float
    pitch_deg: float
    yaw_deg: float
    focal_px: float
    short_side_px: int

    @property
    def side_m(self) -> float:
        """Ground that the square middle covers, by focal length and distance along the view."""
        sine = max(abs(math.sin(math.radians(90.0 + self.pitch_deg))), MIN_SINE)
        return self.short_side_px * self.height_m / sine / self.focal_px

    @property
    def view_centre_m(self) -> tuple[float, float]:
        """Local (x, y) of the ground under the picture's middle."""
        reach = self.height_m * math.tan(math.radians(self.pitch_deg))
        yaw = math.radians(self.yaw_deg)
        return self.x_m + reach * math.sin(yaw), self.y_m - reach * math.cos(yaw)


def read_mode(reference: Path, name: str) -> MapMode:
    """The map 'aerial' or 'satellite' of LXX_reference.json.

    Raises InputError: not such a file, the map or a key missing.
    """
    table: dict[str, Any] = read_json(reference, dict)
    try:
        mode = table["modes"][name]
        resolution = np.ravel(mode["map_resolution"])[:2]
        origin = np.ravel(mode.get("map_origin_local", (0.0, 0.0)))[:2]
        path = reference.parent / str(mode["map_path"])
    except (KeyError, TypeError, AttributeError) as e:
        raise InputError(f"{reference}: modes.{name} lacks {e}; get the scene again") from e
    where = f"{reference}: modes.{name}"
    if len(resolution) != 2 or len(origin) != 2:
        raise InputError(f"{where}: map_resolution and map_origin_local must be two numbers each")
    res_x, res_y, x, y = (number(v, where) for v in (*resolution, *origin))
    if res_x <= 0 or res_y <= 0:
        raise InputError(f"{where}: map_resolution {res_x}, {res_y} is not above zero")
    return MapMode(path, (res_x, res_y), (x, y))


def read_shot(path: Path) -> Shot:
    """Raises InputError: no .npz, a key missing, a focal length or height not above zero."""
    held = _load(path, ("K", "xyz", "euler_deg"))
    try:
        with np.load(path, allow_pickle=False) as npz:
            size = npz["image_size"] if "image_size" in npz.files else npz["image"].shape[:2]
        short_side = int(min(np.ravel(size)[:2]))
        focal = float(held["K"][0, 0])
        x, y, z = (float(v) for v in np.ravel(held["xyz"])[:3])
        _, pitch, yaw = (float(v) for v in np.ravel(held["euler_deg"])[:3])
    except (ValueError, TypeError, IndexError, KeyError) as e:
        raise InputError(f"{path}: not a picture of AnyVisLoc ({e}); get it again") from e
    shot = Shot(x, y, z, pitch, yaw, focal, short_side)
    if not (all(map(math.isfinite, (x, y, z, pitch, yaw, focal))) and min(z, focal) > 0):
        raise InputError(f"{path}: its height or focal length is not above zero; get it again")
    return shot


def picture_of(path: Path) -> Picture:
    """(H, W, 3) BGR. Raises InputError: no picture inside."""
    image = _load(path, ("image",))["image"]
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise InputError(
            f"{path}: 'image' is {image.dtype} {image.shape}, not uint8 (H, W, 3); get it again"
        )
    return np.ascontiguousarray(image[:, :, ::-1])


def _load(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as held:
            return {key: held[key] for key in keys}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as e:
        raise InputError(f"{path}: not a picture of AnyVisLoc ({e}); get it again") from e
