"""Flights over slopes through the navigator, with the real network: one fault of the terrain each.

Whatever is wrong with the terrain, an error may not exceed the protection level that is told.
"""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onboard.autopilot.heights import HOME, RANGEFINDER
from onboard.companion import Companion, FrameDone
from onboard.flight import NoLink, fan_out, make_flight
from onboard.ground.height_above_terrain import MAP_TERRAIN, HeightAboveTerrain
from onboard.loop import Navigator
from onboard.messages import Floats, Frame, FrameResult
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import TERRAIN_NAME
from onboard.pack.terrain import Terrain
from onboard.recording.shown import frame_table
from onboard.runtime.frame_loop import FrameLoop
from onboard.telemetry_messages import Height
from tests.onboard.hillside_flight import (
    BELIEVED_S,
    CAMERA,
    FLIGHT_M,
    SECONDS,
    Flight,
    by_barometer,
    error_m,
    ground_m,
    hillside,
    make_hillside_flight,
)
from tests.tools import small_area
from tests.tools.recorded_flight import equipment_of, fly, recorder_of
from tools.cli import main


def located(results: list[FrameResult]) -> int:
    return sum(r.fix is not None for r in results)


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    return make_hillside_flight(tmp_path_factory.mktemp("hillside"))


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
    assert all(r.height is not None and r.height.sigma_m > 100.0 for r in results)
    assert located(results) >= SECONDS // 3


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


class OneFrame:
    """A camera that has what it was given."""

    ended, frame = False, None

    def newest(self, wait_s: float) -> Frame | None:
        return self.frame


def test_no_terrain_is_read_while_others_wait_for_the_flights_lock(
    flight: Flight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, source, matches, held = threading.Lock(), OneFrame(), [], []
    pack = flight.pack(tmp_path / "area.pack", hillside)
    navigator = Navigator(pack, flight.describer, CAMERA)
    heard: list[object] = []
    companion = Companion(navigator, (), heard.append)
    frames = FrameLoop(companion, source, lock)
    decoded, hear_match = Terrain._decoded, HeightAboveTerrain.hear_match

    def noted(terrain: Terrain, x: int, y: int) -> object:
        held.append(lock.locked())
        return decoded(terrain, x, y)

    def matched(*args: object) -> float:
        matches.append(args)
        return hear_match(*args)

    monkeypatch.setattr(Terrain, "_decoded", noted)
    monkeypatch.setattr(HeightAboveTerrain, "hear_match", matched)
    for event in flight.events(by_barometer):
        if isinstance(event, Frame):
            source.frame = event
            frames.step()
        else:
            with lock:
                companion.handle(event)
    results = [entry.result for entry in heard if isinstance(entry, FrameDone)]
    assert located(results) >= SECONDS - 1 and len(matches) >= SECONDS - 1
    assert len(held) > SECONDS and not any(held)


def recorded(flight: Flight, tmp_path: Path, pack: MapPack, terrain: bytes = b"") -> Path:
    """The recording of a flight over the pack. terrain: what its file became once checked."""
    (tmp_path / "cam.toml").write_text(small_area.CAMERA + "[mounting]\npitch_deg = -75.0\n")
    (tmp_path / "flight").mkdir()
    area = replace(flight.area, pack=pack.path)
    equipment = equipment_of(area, tmp_path / "flight", tmp_path / "recordings")
    assert equipment.camera == CAMERA
    if terrain:
        (pack.path / TERRAIN_NAME).write_bytes(terrain)
    recorder = recorder_of(equipment)
    made = make_flight(equipment, fan_out(recorder.note), NoLink())
    fly(made, flight.events(by_barometer))
    recorder.close()
    return recorder.health().path


def test_a_recording_is_replayed_to_the_byte(
    flight: Flight, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = flight.pack(tmp_path / "area.pack", hillside)
    recording = recorded(flight, tmp_path, pack)
    assert main(["replay", str(recording), "--map", str(pack.path)]) == 0
    said = capsys.readouterr().out
    assert "messages different  0" in said and f"frames              {SECONDS}" in said


def test_a_replay_ends_where_terrain_could_not_be_read(
    flight: Flight, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = flight.pack(tmp_path / "area.pack", hillside)
    path = pack.path / TERRAIN_NAME
    whole = path.read_bytes()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE tiles SET tile_data = x'00'")
    damaged = path.read_bytes()
    path.write_bytes(whole)
    recording = recorded(flight, tmp_path, pack, damaged)
    path.write_bytes(whole)
    assert main(["replay", str(recording), "--map", str(pack.path)]) == 0
    said = capsys.readouterr().out
    assert "messages different  0" in said
    assert "terrain could not be read in flight" in said and TERRAIN_NAME in said
