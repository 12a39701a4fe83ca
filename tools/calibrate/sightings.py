"""What a flight with GNSS says about its camera: where known rays of it met the map.

Each frame is located alone around its GNSS position. The match ties three points of the view
to the map; as rays of the camera they no longer depend on what mounting, attitude or height
the view was made with, and any other camera can be tried on them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from onboard.camera import Camera
from onboard.geodesy import enu_offset_m, pixel_size_m, pixel_to_latlon
from onboard.ground.height_above_terrain import HeightAboveTerrain
from onboard.localize import Localizer
from onboard.messages import (
    TILE_PX,
    Event,
    Floats,
    Frame,
    FrameResult,
    Match,
    Prior,
    RecordedFrame,
    View,
)
from onboard.reasons import Reason
from onboard.telemetry import Telemetry
from onboard.telemetry_messages import Attitude, Gnss, Height

WAIT_NS = 600_000_000  # a frame waits this long for the attitude and position after it
ARM_PX = 64.0  # from the view's centre to the other two points: well inside of it
MAX_GNSS_AGE_NS = 1_500_000_000  # between a frame and the nearest position
GNSS_SIGMA_M = 3.0  # of the place whose ground is asked for


@dataclass(frozen=True)
class Sighting:
    """One located frame. rays: (3, 3), a row a point, in the optical frame of the camera as
    given, z = 1: the view's centre, ARM_PX east of it, ARM_PX north. met_m: (3, 2) east, north
    metres in the map from the GNSS position at the exposure. sigma_m: of the match, per axis."""

    name: str
    time_ns: int
    agl_m: float
    rays: Floats
    met_m: Floats
    sigma_m: float


@dataclass(frozen=True)
class Seen:
    """A flight's sightings, with its attitudes (time, roll, pitch, yaw) and GNSS positions
    (time, lat, lon) in order of time, and why the other frames gave none."""

    sightings: tuple[Sighting, ...]
    attitudes: tuple[Attitude, ...]
    positions: tuple[Gnss, ...]
    refused: Counter[Reason]
    without_gnss: int

    @property
    def frames(self) -> int:
        return len(self.sightings) + self.refused.total() + self.without_gnss


class Watcher:
    """Takes a flight's events and locates its frames, each once what surrounds it is known."""

    def __init__(
        self,
        localizer: Localizer,
        camera: Camera,
        given: Camera,
        prior_sigma_m: float,
        terrain: HeightAboveTerrain | None = None,
    ) -> None:
        """camera: the localizer's. given: the one that the rays are told by. terrain: the map's;
        a view is that of a plane all the same, as its rays are taken back from it."""
        self._terrain = terrain
        self._localizer = localizer
        self._camera = camera
        self._given = given
        self._prior_sigma_m = prior_sigma_m
        self._telemetry = Telemetry(camera.attitude_delay_s)
        self._waiting: list[Frame | RecordedFrame] = []
        self._attitudes: list[Attitude] = []
        self._positions: list[Gnss] = []
        self._sightings: list[Sighting] = []
        self._refused: Counter[Reason] = Counter()
        self._without_gnss = 0

    def watch(self, events: Iterable[Event]) -> Seen:
        """events in order of their times."""
        for event in events:
            self._locate_before(event.time_ns - WAIT_NS)
            if isinstance(event, Frame | RecordedFrame):
                self._waiting.append(event)
            elif isinstance(event, Attitude):
                self._telemetry.add_attitude(event)
                self._attitudes.append(event)
            elif isinstance(event, Height):
                self._telemetry.add_height(event)
            elif isinstance(event, Gnss) and event.has_fix and event.receiver == 0:
                self._positions.append(event)
        self._locate_before(None)
        return Seen(
            tuple(self._sightings),
            tuple(self._attitudes),
            tuple(self._positions),
            self._refused,
            self._without_gnss,
        )

    def _locate_before(self, time_ns: int | None) -> None:
        while self._waiting and (time_ns is None or self._waiting[0].time_ns < time_ns):
            self._locate(self._waiting.pop(0))

    def _locate(self, frame: Frame | RecordedFrame) -> None:
        position = position_at(self._positions, frame.time_ns)
        if position is None:
            self._without_gnss += 1
            return
        attitude = self._telemetry.attitude_at(frame.time_ns)
        height = self._telemetry.height_at(frame.time_ns)
        if self._terrain is not None and height is not None:
            height, _ = self._terrain.height(height, Prior(*position, GNSS_SIGMA_M))
        if isinstance(frame, RecordedFrame):
            look = self._localizer.look_again(frame)
        else:
            look = self._localizer.look(frame, attitude, height, position[0])
        if isinstance(look, FrameResult):
            result = look
        else:
            result = self._localizer.find(look, Prior(*position, self._prior_sigma_m))
        if result.refusal is not None:
            self._refused[result.refusal.reason] += 1
        elif result.match and result.view and attitude:
            name, view = result.frame_name, result.view
            self._sightings.append(
                sighting(name, self._camera, self._given, attitude, view, result.match, position)
            )


def sighting(
    name: str,
    camera: Camera,
    given: Camera,
    attitude: Attitude,
    view: View,
    match: Match,
    position: tuple[float, float],
) -> Sighting:
    """camera and attitude: those that the view was made with. given: see `Sighting`."""
    arms = np.array([[0.0, 0.0], [ARM_PX, 0.0], [0.0, -ARM_PX]])
    # In the view: ground points relative to the vehicle, which turns them into rays.
    east_m = arms[:, 0] * view.east_m_per_px - view.nadir_east_m
    north_m = -arms[:, 1] * view.north_m_per_px - view.nadir_north_m
    ned = np.stack([north_m, east_m, np.full(3, view.agl_m)], axis=1)
    rays = ned @ camera.ned_from_optical(attitude)
    rays = rays / rays[:, 2:] * np.append(np.divide(camera.focal_px, given.focal_px), 1.0)
    # In the map: through the match.
    map_px = (arms + TILE_PX / 2) @ match.view_to_map[:, :2].T + match.view_to_map[:, 2]
    lat_deg, lon_deg = pixel_to_latlon(map_px[:, 0], map_px[:, 1], match.level)
    met = enu_offset_m(*position, lat_deg, lon_deg)
    metres = pixel_size_m(position[0], match.level)[0]
    return Sighting(
        name=name,
        time_ns=view.time_ns,
        agl_m=view.agl_m,
        rays=rays,
        met_m=np.stack(met, axis=1),
        sigma_m=metres * float(np.sqrt(np.trace(match.covariance_px2) / 2)),
    )


def position_at(positions: list[Gnss], time_ns: int) -> tuple[float, float] | None:
    """(lat_deg, lon_deg), linear between the two around time_ns; None when they are far."""
    near = [p for p in positions[-200:] if abs(p.time_ns - time_ns) <= MAX_GNSS_AGE_NS]
    if not near:
        return None
    times = [p.time_ns - time_ns for p in near]
    lat_deg = np.interp(0, times, [p.lat_deg for p in near])
    lon_deg = np.interp(0, times, [p.lon_deg for p in near])
    return float(lat_deg), float(lon_deg)
