"""Flights over slopes through the navigator, with the real network: one fault of the terrain each.

Whatever is wrong with the terrain, an error may not exceed the protection level that is told.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from maps.sources.open_imagery import open_imagery
from onboard.autopilot.heights import HOME, RANGEFINDER
from onboard.camera import Camera, Mounting
from onboard.describe import Describer
from onboard.flight import NoLink, fan_out, make_flight
from onboard.geodesy import distance_m, latlon_to_pixel, offset_latlon, pixel_size_m
from onboard.ground.height_above_terrain import MAP_TERRAIN
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
from onboard.recording.shown import frame_table
from onboard.telemetry_messages import (
    Attitude,
    AutopilotPosition,
    Gnss,
    Height,
    VehicleState,
)
from tests.onboard.terrain_file import Shape, write_terrain
from tests.tools import small_area
from tests.tools.recorded_flight import equipment_of, fly, recorder_of
from tools.cli import main
from tools.sim.scenes import Appearance, ImageryScene

SECOND = 1_000_000_000
CENTRE = offset_latlon(*small_area.SOUTH_WEST, small_area.SIZE_M / 2, small_area.SIZE_M / 2)
LEVEL = 17  # of the terrain: 0.8 m a pixel
CAMERA = Camera(*small_area.PHOTO_PX, fx=small_area.FOCAL_PX, mounting=Mounting(pitch_deg=-75.0))
FLIGHT_M = 100.0  # above the middle of the area, all flight
SECONDS = 10
BELIEVED_S = 2  # a receiver is believed after a second; before nobody knows where it flies
YAW = math.radians(45.0)


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

    def events(self, heights: Callable[[float], Height]) -> Iterator[Event]:
        """Stands at its start, then flies at one height above sea level; GNSS for 3 s."""
        start_m = ground_m(0.0)
        yield VehicleState(0, "ardupilot", "copter", False, "STABILIZE")
        yield AutopilotPosition(0, *latlon(0.0), start_m, 0.0, 0.0, 0.0, 0.0)
        yield VehicleState(0, "ardupilot", "copter", True, "AUTO")
        for i in range(20 * SECONDS):
            time_ns, seconds = i * SECOND // 20, i / 20
            yield Attitude(time_ns, 0.0, 0.0, YAW)
            if i % 4 == 0:
                yield heights(seconds)
                yield Gnss(time_ns, *latlon(seconds), 2.0, has_fix=seconds < 3.0)
            if i % 20 == 0:
                yield self.frames[i // 20]

    def fly(
        self, pack: MapPack, heights: Callable[[float], Height] | None = None
    ) -> tuple[Navigator, list[FrameResult]]:
        navigator = Navigator(pack, self.describer, CAMERA)
        events: Iterable[Event] = self.events(heights or by_barometer)
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


def located(results: list[FrameResult]) -> int:
    return sum(r.fix is not None for r in results)


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    area = small_area.make_small_area(tmp_path_factory.mktemp("hillside"))
    (sources,) = open_imagery([area.pack / IMAGERY_NAME])
    scene = ImageryScene(sources, Hillside(), Appearance())
    frames = []
    for k in range(SECONDS):
        attitude = Attitude(k * SECOND, 0.0, 0.0, YAW)
        picture = scene.picture(*latlon(k), 300.0 + FLIGHT_M, attitude, CAMERA)
        frames.append(Frame(k * SECOND, picture, f"frame {k}"))
    return Flight(area, Describer(load_bundle(), threads=1), frames)


def test_terrain_finds_what_a_plane_does_not(flight: Flight, tmp_path: Path) -> None:
    _, with_terrain = flight.fly(flight.pack(tmp_path / "with.pack", hillside))
    _, without = flight.fly(flight.pack(tmp_path / "without.pack", None))
    assert located(with_terrain) >= SECONDS - 1
    assert np.median([error_m(r) for r in with_terrain if r.fix]) < 2.0
    assert located(without) < located(with_terrain)
    for k, r in list(enumerate(with_terrain))[BELIEVED_S:]:
        assert r.height is not None and r.height.source == MAP_TERRAIN and not r.height.problem
        assert r.height.agl_m == pytest.approx(300.0 + FLIGHT_M - ground_m(k), abs=4.0)
    shown = frame_table(7, with_terrain[5])["height"]
    assert shown["source"] == MAP_TERRAIN and shown["ground_amsl_m"] > 200.0
    assert all(r.height is None and "height" not in frame_table(7, r) for r in without)


def test_terrain_wrong_by_30_m_in_places_misleads_nobody(flight: Flight, tmp_path: Path) -> None:
    def with_a_block(east: Floats, north: Floats) -> Floats:
        return hillside(east, north) + np.where(north > -10.0, 30.0, 0.0)

    _, results = flight.fly(flight.pack(tmp_path / "wrong.pack", with_a_block))
    # Errors are held against the protection level in `fly`. What still fits is right.
    assert results[BELIEVED_S].fix is not None
    refused = [r for r in results[BELIEVED_S:] if r.refusal]
    assert len(refused) >= 3
    assert all(error_m(r) < 10.0 for r in results if r.fix)


def test_where_the_terrain_ends_the_plane_goes_on_in_doubt(flight: Flight, tmp_path: Path) -> None:
    def southern(east: Floats, north: Floats) -> Floats:
        return np.where(north < 0.0, hillside(east, north), np.nan)

    _, results = flight.fly(flight.pack(tmp_path / "cut.pack", southern))
    first, last = results[2].height, results[-1].height
    assert first is not None and first.source == MAP_TERRAIN and first.sigma_m < 8.0
    assert last is not None and last.source == HOME and last.ground_amsl_m is None
    assert last.sigma_m > 8.0


def test_a_tile_that_is_damaged_in_flight_is_named_and_left_out(
    flight: Flight, tmp_path: Path
) -> None:
    pack = flight.pack(tmp_path / "damaged.pack", hillside)
    with sqlite3.connect(pack.path / TERRAIN_NAME) as db:
        db.execute("UPDATE tiles SET tile_data = x'89504e470d0a1a0a'")
    _, results = flight.fly(pack)
    assert all(r.height is not None and TERRAIN_NAME in r.height.problem for r in results)
    _, without = flight.fly(flight.pack(tmp_path / "without.pack", None))
    assert [r.fix is None for r in results] == [r.fix is None for r in without]


def test_a_roof_below_the_rangefinder_changes_no_scale(flight: Flight, tmp_path: Path) -> None:
    def ranged(seconds: float) -> Height:
        told = by_barometer(seconds)
        agl_m = 300.0 + FLIGHT_M - ground_m(seconds) - (35.0 if 5.5 < seconds < 8.5 else 0.0)
        return replace(told, agl_m=agl_m, sigma_m=2.0, source=RANGEFINDER)

    _, results = flight.fly(flight.pack(tmp_path / "roof.pack", hillside), ranged)
    assert located(results) >= SECONDS - 1
    over_roof = [r.height for r in results[6:9]]
    for height in over_roof:
        assert height is not None
        assert height.rangefinder_differs_m == pytest.approx(35.0, abs=4.0)
    for k, r in list(enumerate(results))[BELIEVED_S:]:
        assert r.height is not None
        assert r.height.agl_m == pytest.approx(300.0 + FLIGHT_M - ground_m(k), abs=5.0)


def test_a_recording_is_replayed_to_the_byte(
    flight: Flight, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = flight.pack(tmp_path / "area.pack", hillside)
    (tmp_path / "cam.toml").write_text(small_area.CAMERA + "[mounting]\npitch_deg = -75.0\n")
    (tmp_path / "flight").mkdir()
    area = replace(flight.area, pack=pack.path)
    equipment = equipment_of(area, tmp_path / "flight", tmp_path / "recordings")
    assert equipment.camera == CAMERA
    recorder = recorder_of(equipment)
    made = make_flight(equipment, fan_out(recorder.note), NoLink())
    fly(made, flight.events(by_barometer))
    recorder.close()
    assert main(["replay", str(recorder.health().path), "--map", str(pack.path)]) == 0
    said = capsys.readouterr().out
    assert "messages different  0" in said and f"frames              {SECONDS}" in said
