"""A small map laid over a hillside, a flight over it rendered, and what its autopilot tells.

A spoofer's: it says that the vehicle is elsewhere, from before the take-off on.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from maps.sources.open_imagery import open_imagery
from onboard.autopilot.heights import HOME
from onboard.camera import Camera, Mounting
from onboard.describe import Describer
from onboard.geodesy import distance_m, latlon_to_pixel, offset_latlon, pixel_size_m
from onboard.loop import Navigator
from onboard.messages import Event, Floats, Frame, FrameResult
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_hashes import describe_file
from onboard.pack.pack_manifest import (
    IMAGERY_NAME,
    MANIFEST_NAME,
    TERRAIN_NAME,
    TerrainSource,
    manifest_text,
    read_manifest,
)
from onboard.reasons import Mode
from onboard.telemetry_messages import (
    Attitude,
    AutopilotPosition,
    Gnss,
    Height,
    VehicleState,
)
from tests.onboard.terrain_file import Shape, write_terrain
from tests.tools import small_area
from tools.sim.scenes import Appearance, ImageryScene

SECOND = 1_000_000_000
CENTRE = offset_latlon(*small_area.SOUTH_WEST, small_area.SIZE_M / 2, small_area.SIZE_M / 2)
LEVEL = 17  # of the terrain: 0.8 m a pixel
CAMERA = Camera(*small_area.PHOTO_PX, fx=small_area.FOCAL_PX, mounting=Mounting(pitch_deg=-75.0))
FLIGHT_M = 100.0  # above the middle of the area, all flight
SECONDS = 10
BELIEVED_S = 2  # a receiver is believed after a second; before nobody knows where it flies
YAW = math.radians(45.0)

Place = Callable[[float], tuple[float, float]]  # (lat_deg, lon_deg) at a second


def hillside(east: Floats, north: Floats) -> Floats:
    return 300.0 + 0.3 * north + 8.0 * np.sin(east / 25.0)


class Hillside:
    """A `Ground` of the scene."""

    lowest_m, highest_m = 250.0, 350.0

    def heights(self, level: int, x: Floats, y: Floats) -> np.ndarray:
        x0, y0 = latlon_to_pixel(*CENTRE, level)
        east_px_m, north_px_m = pixel_size_m(CENTRE[0], level)
        return np.asarray(hillside((x - x0) * east_px_m, (y0 - y) * north_px_m), np.float32)


def east_north(time_s: float) -> tuple[float, float]:
    """From the middle of the area; up the hillside."""
    return -25.0 + 4.0 * time_s, -35.0 + 5.0 * time_s


def latlon(time_s: float) -> tuple[float, float]:
    return offset_latlon(*CENTRE, *east_north(time_s))


def ground_m(time_s: float) -> float:
    return float(hillside(*(np.array(v) for v in east_north(time_s))))


@dataclass
class Flight:
    """The area under slopes, and what flew over it."""

    area: small_area.SmallArea
    describer: Describer
    frames: list[Frame]

    def pack(self, folder: Path, shape: Shape | None) -> MapPack:
        """With the terrain of that shape; without any where it is None."""
        shutil.copytree(self.area.pack, folder)
        if shape is None:
            return MapPack.open(folder)
        write_terrain(folder / TERRAIN_NAME, CENTRE, 150.0, LEVEL, shape)
        manifest = read_manifest(folder)
        said = TerrainSource("made", "2024", "none", "none", "EGM96", LEVEL, 2.0)
        files = (*manifest.files, describe_file(folder, TERRAIN_NAME))
        manifest = replace(manifest, terrain=said, files=files)
        (folder / MANIFEST_NAME).write_text(manifest_text(manifest))
        return MapPack.open(folder)

    def events(
        self,
        heights: Callable[[float], Height],
        told: Place | None = None,
        amsl_error_m: float = 0.0,
    ) -> Iterator[Event]:
        """Stands at its start, then flies at one height above sea level; GNSS for 3 s. told: where
        GNSS and autopilot say that it is. amsl_error_m: of the autopilot's where it stood."""
        told = told or latlon
        start_m = ground_m(0.0) + amsl_error_m
        yield VehicleState(0, "ardupilot", "copter", False, "STABILIZE")
        yield AutopilotPosition(0, *told(0.0), start_m, 0.0, 0.0, 0.0, 0.0)
        yield VehicleState(0, "ardupilot", "copter", True, "AUTO")
        for i in range(20 * SECONDS):
            time_ns, seconds = i * SECOND // 20, i / 20
            yield Attitude(time_ns, 0.0, 0.0, YAW)
            if i % 4 == 0:
                yield heights(seconds)
                yield Gnss(time_ns, *told(seconds), 2.0, has_fix=seconds < 3.0)
            if i % 20 == 0:
                yield self.frames[i // 20]

    def fly(
        self,
        pack: MapPack,
        heights: Callable[[float], Height] | None = None,
        told: Place | None = None,
        amsl_error_m: float = 0.0,
    ) -> tuple[Navigator, list[FrameResult]]:
        navigator = Navigator(pack, self.describer, CAMERA)
        events: Iterable[Event] = self.events(heights or by_barometer, told, amsl_error_m)
        results = [r for r in map(navigator.handle, events) if r is not None]
        assert len(results) == SECONDS
        for r in results:
            assert (r.fix is None) != (r.refusal is None)
            if r.fix is not None:
                assert error_m(r) <= r.fix.protection_m
        assert_estimate_is_bounded(navigator)
        return navigator, results


def by_barometer(seconds: float) -> Height:
    amsl_m = 300.0 + FLIGHT_M
    return Height(round(seconds * SECOND), amsl_m - ground_m(0.0), amsl_m, 5.0, HOME)


def error_m(result: FrameResult) -> float:
    assert result.fix is not None
    at = latlon(result.time_ns / SECOND)
    return distance_m(result.fix.lat_deg, result.fix.lon_deg, *at)


def assert_estimate_is_bounded(navigator: Navigator) -> None:
    estimate = navigator.estimate_at(SECONDS * SECOND)
    if estimate is not None and estimate.mode is Mode.TRACKING:
        off_m = distance_m(estimate.lat_deg, estimate.lon_deg, *latlon(SECONDS))
        assert estimate.protection_m is not None and off_m <= estimate.protection_m


def make_hillside_flight(folder: Path) -> Flight:
    """The map built in the folder, the frames rendered."""
    area = small_area.make_small_area(folder)
    (sources,) = open_imagery([area.pack / IMAGERY_NAME])
    scene = ImageryScene(sources, Hillside(), Appearance())
    frames = []
    for k in range(SECONDS):
        attitude = Attitude(k * SECOND, 0.0, 0.0, YAW)
        picture = scene.picture(*latlon(k), 300.0 + FLIGHT_M, attitude, CAMERA)
        frames.append(Frame(k * SECOND, picture, f"frame {k}"))
    return Flight(area, Describer(load_bundle(), threads=1), frames)
