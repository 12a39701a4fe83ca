"""The procedural world as a scene: houses and trees stand up, and the season is its own."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.perspective import render_perspective
from maps.world.scene import scene_of
from onboard.camera import Camera
from onboard.messages import Picture
from onboard.telemetry_messages import Attitude
from tools.sim.scenes.appearance import Appearance, Shown
from tools.sim.scenes.ground import FlatGround
from tools.sim.scenes.seen_ground import seen_ground

CLEARANCE_M = 1.0  # the renderer looks down on everything
NEAR_BGR = (70, 95, 85)  # between the trees, before it: too near to be sharp
SKY_BGR = (222, 205, 190)
NOTHING_BGR = (96, 112, 104)


class WorldScene:
    """A `Scene`. datum_m: the landscape's height 0 above mean sea level. The epoch's season
    counts; the appearance's is left as it is."""

    def __init__(
        self,
        landscape: Landscape,
        epoch: Epoch,
        datum_m: float,
        appearance: Appearance,
        seed: int = 1,
    ) -> None:
        # Noise and compression come once, at the end.
        self._epoch = replace(epoch, noise=0.0)
        self._landscape, self._datum_m = landscape, datum_m
        self._appearance, self._seed = appearance, seed
        south_west = landscape.latlon(0.0, 0.0)
        self.bounds = (*south_west, *landscape.latlon(landscape.size_m, landscape.size_m))
        scene = scene_of(landscape, epoch)
        everything = slice(0, landscape.side_px)
        scene.prepare(everything, everything)
        terrain = landscape.terrain_window(everything, everything)
        self._highest_m = float((terrain + scene.height_cm * np.float32(0.01)).max())

    def ground_amsl_m(self, lat_deg: float, lon_deg: float) -> float:
        return self._datum_m + self._landscape.ground_m(
            *self._landscape.east_north(lat_deg, lon_deg)
        )

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
        """See `Scene`. Below the highest tree or roof only a blur is seen."""
        east, north = self._landscape.east_north(lat_deg, lon_deg)
        ground_m = self._landscape.ground_m(east, north)
        agl_m = amsl_m - self._datum_m - ground_m
        flat = FlatGround(self._datum_m + ground_m)
        seen = seen_ground(camera, attitude, lat_deg, lon_deg, amsl_m, flat)
        if amsl_m - self._datum_m > self._highest_m + CLEARANCE_M:
            picture = render_perspective(
                self._landscape, self._epoch, camera, attitude, east, north, agl_m
            )
            nothing = cv2.inRange(picture, (0, 0, 0), (0, 0, 0))
            picture[nothing > 0] = NOTHING_BGR
        else:
            picture = np.full((camera.height_px, camera.width_px, 3), NEAR_BGR, np.uint8)
        shown = Shown(camera, seen, (east, north), attitude.time_ns, velocity_m_s, SKY_BGR)
        return self._appearance.dress(picture, shown, light, self._seed)
