"""A flight that begins lost over a hillside: the map's terrain says 100 m above ground, the first
match whose ground to take. Flown, recorded and replayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onboard.companion import FrameDone
from onboard.flight import NoLink, fan_out, make_flight
from onboard.loop import FrameWork, Navigator
from onboard.messages import Event, FrameResult
from onboard.recording.reader import Recording
from onboard.recording.replay import replay
from onboard.telemetry_messages import Gnss
from tests.onboard.hillside_flight import (
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

LOST_FRAMES = 3  # until fixes agree


@pytest.fixture(scope="module")
def flight(tmp_path_factory: pytest.TempPathFactory) -> Flight:
    return make_hillside_flight(tmp_path_factory.mktemp("hillside"))


def without_gnss(flight: Flight) -> Iterator[Event]:
    return (e for e in flight.events(by_barometer) if not isinstance(e, Gnss))


def test_what_is_found_was_seen_from_its_own_height(flight: Flight, tmp_path: Path) -> None:
    navigator = Navigator(flight.pack(tmp_path / "area.pack", hillside), flight.describer, CAMERA)
    works: list[FrameWork] = []
    finish = navigator.finish

    def kept(work: FrameWork) -> FrameResult:
        works.append(work)
        result = finish(work)
        if result.fix is not None and work.second_look is not None:
            assert navigator._previous is work.second_look  # the next motion is seen from it
        return result

    navigator.finish = kept  # type: ignore[method-assign]
    results = [r for r in map(navigator.handle, without_gnss(flight)) if r is not None]
    assert len(results) == SECONDS
    for k, (work, r) in enumerate(zip(works, results, strict=True)):
        assert r.height is not None and r.match is not None and r.view is not None
        assert r.height.agl_m == pytest.approx(300.0 + FLIGHT_M - ground_m(k), abs=5.0)
        assert r.match.scale == pytest.approx(1.0, abs=0.05)
        if k < LOST_FRAMES:
            assert work.look is not None and work.second_look is not None
            assert work.second_look.view is r.view is work.second_view
            assert r.height.agl_m > work.look.view.agl_m + 5.0
            assert r.height.ground_amsl_m == pytest.approx(ground_m(k), abs=1.0)
            assert work.agl_sigma_m == r.height.sigma_m < 10.0
    fixes = [r for r in results if r.fix]
    assert len(fixes) == SECONDS - LOST_FRAMES + 1
    assert max(map(error_m, fixes)) < 3.0


def test_a_second_look_is_replayed_as_it_was(flight: Flight, tmp_path: Path) -> None:
    pack = flight.pack(tmp_path / "area.pack", hillside)
    (tmp_path / "cam.toml").write_text(small_area.CAMERA + "[mounting]\npitch_deg = -75.0\n")
    (tmp_path / "flight").mkdir()
    area = replace(flight.area, pack=pack.path)
    equipment = equipment_of(area, tmp_path / "flight", tmp_path / "recordings")
    recorder = recorder_of(equipment)
    flown: list[FrameDone] = []
    again: list[FrameDone] = []

    def note(entry: object) -> None:
        if isinstance(entry, FrameDone):
            flown.append(entry)

    made = make_flight(equipment, fan_out(recorder.note, note), NoLink())
    fly(made, without_gnss(flight))
    recorder.close()
    recording = Recording(recorder.health().path)
    outcome = replay(
        recording,
        equipment.pack,
        equipment.describer,
        lambda entry: again.append(entry) if isinstance(entry, FrameDone) else None,
    )
    assert outcome.different == () and outcome.ended == "" and outcome.frames == SECONDS
    assert sum(d.second_view is not None for d in flown) >= LOST_FRAMES
    for was, now in zip(flown, again, strict=True):
        assert (was.second_view is None) == (now.second_view is None)
        assert (was.result.fix is None) == (now.result.fix is None)
        assert was.result.height == now.result.height
        assert was.result.match is not None and now.result.match is not None
        np.testing.assert_array_equal(was.result.match.view_to_map, now.result.match.view_to_map)
