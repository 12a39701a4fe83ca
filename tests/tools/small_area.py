"""A small real map and photographs of it: a corner of the procedural world, seen straight down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from maps.build import BuildRequest, build_pack
from maps.world.epoch import random_epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from onboard.geodesy import offset_latlon
from onboard.messages import Picture
from onboard.model_bundle import load_bundle
from tests.tools.photographs import write_photo

SIZE_M = 220.0
GSD_M = 0.2
SOUTH_WEST = (46.5, -92.25)
PHOTO_PX = (480, 360)
AGL_M = 100.0
FOCAL_PX = AGL_M / GSD_M
LEVEL = 19

CAMERA = f"width_px = {PHOTO_PX[0]}\nheight_px = {PHOTO_PX[1]}\nfx = {FOCAL_PX}\n"


@dataclass(frozen=True)
class SmallArea:
    folder: Path
    pack: Path
    picture: Picture  # (N, N, 3) BGR, north up, GSD_M

    def write_flight(self, folder: Path, count: int = 4, **tags: object) -> Path:
        """Photographs 2 s and 15 m apart along a line to the north-east, nose to the north-east."""
        folder.mkdir(exist_ok=True)
        for i in range(count):
            along = 70.0 + 15.0 * i / np.sqrt(2)
            told = {
                "time": f"2024:10:30 10:00:{2 * i:02d}",
                "position": offset_latlon(*SOUTH_WEST, along, along),
                "agl_m": AGL_M,
                "flight_deg": (0.0, 0.0, 45.0),
                "picture": self._seen_from(along, along, 45.0),
                **tags,
            }
            write_photo(folder / f"DJI_{i:04d}.jpg", **told)
        (folder.parent / "cam.toml").write_text(CAMERA)
        return folder

    def _seen_from(self, east_m: float, north_m: float, yaw_deg: float) -> Picture:
        centre = (east_m / GSD_M, (SIZE_M - north_m) / GSD_M)
        turn = cv2.getRotationMatrix2D(centre, yaw_deg, 1.0)
        turn[:, 2] += np.array(PHOTO_PX) / 2 - centre
        return cv2.warpAffine(self.picture, turn, PHOTO_PX)[:, :, ::-1]


def make_small_area(folder: Path) -> SmallArea:
    """Renders, writes with its corners, and builds a pack of one level."""
    landscape = Landscape(7, SIZE_M)
    px = round(SIZE_M / GSD_M)
    epoch = random_epoch(np.random.default_rng(3))
    picture, _ = render_ortho(landscape, epoch, SIZE_M / 2, SIZE_M / 2, px, px, GSD_M)
    cv2.imwrite(str(folder / "area.png"), picture)
    top_left = offset_latlon(*SOUTH_WEST, 0.0, SIZE_M)
    bottom_right = offset_latlon(*SOUTH_WEST, SIZE_M, 0.0)
    names = "filename,top_left_lat,top_left_lon,bottom_right_lat,bottom_right_lon"
    corners = ",".join(f"{v:.9f}" for v in (*top_left, *bottom_right))
    (folder / "area.csv").write_text(f"{names}\narea.png,{corners}\n")
    pack = folder / "area.pack"
    build_pack(BuildRequest((folder / "area.csv",), pack, levels=(LEVEL,)), load_bundle())
    return SmallArea(folder, pack, picture)
