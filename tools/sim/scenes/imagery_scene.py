"""Real imagery seen from any place and attitude, laid over flat ground or an elevation model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from maps.sources.source import WORLD_M, Source
from onboard.camera import Camera
from onboard.geodesy import latlon_to_pixel, pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX, Picture
from onboard.telemetry_messages import Attitude
from tools.sim.scenes.appearance import Appearance, Shown
from tools.sim.scenes.blocks import Blocks
from tools.sim.scenes.ground import Ground, height_at
from tools.sim.scenes.seen_ground import seen_ground

MAX_WINDOW_PX = 3072  # of imagery for one picture; an oblique one takes a coarser level
COARSER = 1.35  # imagery's pixels may be this much larger than the picture's
NOTHING_BGR = (96, 112, 104)  # where the imagery ends: ground without any mark
SKY_BGR = (222, 205, 190)


class ImageryScene:
    """A `Scene`."""

    def __init__(
        self, sources: Sequence[Source], ground: Ground, appearance: Appearance, seed: int = 1
    ) -> None:
        self._blocks, self._ground = Blocks(sources), ground
        self._appearance, self._seed = appearance, seed
        west, south, east, north = self._blocks.bounds_m
        self.bounds = (*_latlon(west, south), *_latlon(east, north))

    def ground_amsl_m(self, lat_deg: float, lon_deg: float) -> float:
        return height_at(self._ground, lat_deg, lon_deg)

    def picture(
        self,
        lat_deg: float,
        lon_deg: float,
        amsl_m: float,
        attitude: Attitude,
        camera: Camera,
        velocity_m_s: tuple[float, float] = (0.0, 0.0),
        light: float = 1.0,
    ) -> Picture:
        """See `Scene`. Raises InputError when the imagery is damaged."""
        seen = seen_ground(camera, attitude, lat_deg, lon_deg, amsl_m, self._ground)
        level = self._level(seen.metres_per_px(), lat_deg)
        while True:
            east_m, north_m = pixel_size_m(lat_deg, level)
            x0, y0 = latlon_to_pixel(lat_deg, lon_deg, level)
            col, row = math.floor(x0), math.floor(y0)
            # Relative to a whole pixel near the camera: float32 holds it to 1/1000 px.
            x = seen.east_m * np.float32(1 / east_m) + np.float32(x0 - col)
            y = seen.north_m * np.float32(-1 / north_m) + np.float32(y0 - row)
            left, top = math.floor(float(x.min())) - 2, math.floor(float(y.min())) - 2
            right, bottom = math.ceil(float(x.max())) + 2, math.ceil(float(y.max())) + 2
            if max(right - left, bottom - top) <= MAX_WINDOW_PX or level <= 1:
                break
            level -= 1
        window = self._blocks.window(level, col + left, row + top, right - left, bottom - top)
        x -= np.float32(left + 0.5)
        y -= np.float32(top + 0.5)
        there = cv2.remap(window, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        picture = np.asarray(there, np.uint8)
        nothing = cv2.inRange(there, (0, 0, 0), (0, 0, 0))
        if cv2.countNonZero(nothing):
            picture[nothing > 0] = NOTHING_BGR
        shown = Shown(
            camera=camera,
            seen=seen,
            origin_m=(x0 * east_m, -y0 * north_m),
            time_ns=attitude.time_ns,
            velocity_m_s=velocity_m_s,
            sky_bgr=SKY_BGR,
        )
        return self._appearance.dress(picture, shown, light, self._seed)

    def _level(self, metres_per_px: float, lat_deg: float) -> int:
        """Whose pixels are about as large as the picture's."""
        wanted = max(metres_per_px, 1e-3) * COARSER / math.cos(math.radians(lat_deg))
        level = math.ceil(math.log2(WORLD_M / TILE_PX / wanted))
        return max(1, min(level, self._blocks.native_level))


def _latlon(x_m: float, y_m: float) -> tuple[float, float]:
    """Of EPSG:3857 metres."""
    scale = TILE_PX / WORLD_M
    lat, lon = pixel_to_latlon((x_m + WORLD_M / 2) * scale, (WORLD_M / 2 - y_m) * scale, 0)
    return float(lat), float(lon)
