"""Whole flights through the navigator, on a real pack with the real network: one fault each."""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from onboard.camera import Camera
from onboard.describe import Describer
from onboard.geodesy import distance_m, offset_latlon
from onboard.loop import Navigator, NavigatorSettings
from onboard.messages import Estimate, Event, Fix, Frame, FrameResult, Picture
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import IMAGERY_NAME
from onboard.protection import PROTECTION_SIGMAS
from onboard.reasons import Mode, Reason, Stage
from onboard.telemetry_messages import Attitude, Gnss, Height
from tests.tools import small_area

SECOND = 1_000_000_000
YAW_DEG = 45.0
FAULTY_S = 5  # the second at which one frame is faulty
FRAMES = 8
CAMERA = Camera(*small_area.PHOTO_PX, fx=small_area.FOCAL_PX)


class Area:
    """The pack and what a camera over it sees."""

    def __init__(self, area: small_area.SmallArea) -> None:
        self.pack = MapPack.open(area.pack)
        self.describer = Describer(load_bundle(), threads=1)
        self._picture = area.picture

    def picture_at(self, time_s: float) -> Picture:
        east, north = east_north(time_s)
        x, y = east / small_area.GSD_M, (small_area.SIZE_M - north) / small_area.GSD_M
        turn = cv2.getRotationMatrix2D((x, y), YAW_DEG, 1.0)
        turn[:, 2] += np.array(small_area.PHOTO_PX) / 2 - (x, y)
        return np.asarray(cv2.warpAffine(self._picture, turn, small_area.PHOTO_PX), np.uint8)

    def events(self, gnss_until_s: float = 3.0) -> Iterator[Event]:
        """Attitude at 20 Hz, height and GNSS at 5 Hz, a frame a second."""
        for i in range(20 * FRAMES):
            time_ns = i * SECOND // 20
            yield Attitude(time_ns, 0.0, 0.0, math.radians(YAW_DEG))
            if i % 4 == 0:
                yield Height(time_ns, small_area.AGL_M, 500.0, 3.0)
                yield Gnss(time_ns, *latlon(i / 20), 2.0, has_fix=i / 20 < gnss_until_s)
            if i % 20 == 0:
                yield Frame(time_ns, self.picture_at(i / 20), f"frame {i // 20}")

    def fly(self, events: Iterable[Event]) -> tuple[Navigator, list[FrameResult]]:
        navigator = Navigator(self.pack, self.describer, CAMERA)
        results = [r for r in map(navigator.handle, events) if r is not None]
        for result in results:
            assert (result.fix is None) != (result.refusal is None)
        return navigator, results


def east_north(time_s: float) -> tuple[float, float]:
    return 70.0 + 6.0 * time_s, 75.0 + 5.0 * time_s


def latlon(time_s: float) -> tuple[float, float]:
    return offset_latlon(*small_area.SOUTH_WEST, *east_north(time_s))


def error_m(estimate: Estimate) -> float:
    return distance_m(estimate.lat_deg, estimate.lon_deg, *latlon(estimate.time_ns / SECOND))


def before_matching(results: list[FrameResult]) -> list[Reason]:
    """Refusals that don't depend on how well the network tells places apart."""
    early = (Stage.INPUT, Stage.RECTIFY)
    return [r.refusal.reason for r in results if r.refusal and r.refusal.stage in early]


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Area:
    return Area(small_area.make_small_area(tmp_path_factory.mktemp("area")))


def assert_healthy_at_the_end(navigator: Navigator, worst_m: float = 5.0) -> None:
    estimate = navigator.estimate_at(FRAMES * SECOND)
    assert estimate is not None
    assert estimate.mode is Mode.TRACKING
    assert error_m(estimate) < worst_m


def test_a_flight_goes_on_without_gnss(area: Area) -> None:
    navigator, results = area.fly(area.events())
    assert len(results) == FRAMES
    assert sum(r.fix is not None for r in results) >= FRAMES / 2
    assert before_matching(results) == []
    assert_healthy_at_the_end(navigator)
    for result in results[2:]:  # a receiver is believed after a second
        assert result.estimate is not None and error_m(result.estimate) < 5.0
        assert result.estimate.amsl_m == 500.0
        assert {"rectify", "describe", "retrieve", "rerank", "locate"} <= result.latency_ms.keys()


def test_one_event_of_a_far_future_mutes_nothing(area: Area) -> None:
    def events() -> Iterator[Event]:
        for event in area.events():
            yield event
            if event.time_ns == 2 * SECOND and isinstance(event, Gnss):
                yield replace(event, time_ns=1000 * SECOND)
            if event.time_ns == 4 * SECOND and isinstance(event, Attitude):
                yield replace(event, time_ns=2000 * SECOND)
            if event.time_ns == 6 * SECOND and isinstance(event, Frame):
                yield replace(event, time_ns=3000 * SECOND, name="future")

    navigator, results = area.fly(events())
    (future,) = (r for r in results if r.frame_name == "future")
    assert future.refusal is not None and future.refusal.reason is Reason.OUT_OF_ORDER
    assert before_matching([r for r in results if r is not future]) == []
    assert_healthy_at_the_end(navigator)


def test_same_events_same_bytes(area: Area) -> None:
    def flown() -> bytes:
        navigator, _ = area.fly(e for e in area.events(1.5) if e.time_ns < 4 * SECOND)
        told = [navigator.estimate_at(t * SECOND // 10) for t in range(60)]
        return b"".join(
            np.array([e.lat_deg, e.lon_deg]).tobytes() + e.covariance.tobytes()
            for e in told
            if e is not None
        )

    assert flown() == flown()


def test_starts_lost_and_finds_itself_without_any_gnss(area: Area) -> None:
    navigator, results = area.fly(e for e in area.events() if not isinstance(e, Gnss))
    fused = [r.refusal.reason for r in results if r.refusal and r.refusal.stage is Stage.FUSE]
    assert fused == [Reason.UNCONFIRMED] * 2
    first = next(i for i, r in enumerate(results) if r.fix is not None)
    assert all(r.estimate is None for r in results[:first])
    assert_healthy_at_the_end(navigator)


def test_gnss_can_be_left_out_by_settings(area: Area) -> None:
    navigator = Navigator(area.pack, area.describer, CAMERA, NavigatorSettings(use_gnss=False))
    navigator.handle(Gnss(0, *latlon(0.0), 2.0))
    assert navigator.mode_at(0) is Mode.LOST


def test_what_the_map_says_of_its_error_is_in_every_fix_and_estimate(area: Area) -> None:
    def flown(sigma_m: float | None) -> tuple[Fix, float]:
        said = tuple(replace(s, sigma_m=sigma_m) for s in area.pack.manifest.imagery)
        manifest = replace(area.pack.manifest, imagery=said)
        pack = MapPack.of_manifest(area.pack.path, manifest, check_hashes=False)
        navigator = Navigator(pack, area.describer, CAMERA, NavigatorSettings(use_gnss=False))
        results = [r for r in map(navigator.handle, area.events()) if r is not None]
        estimate = navigator.estimate_at((FRAMES - 1) * SECOND)
        assert results[-1].fix is not None
        assert estimate is not None and estimate.protection_m is not None
        return results[-1].fix, estimate.protection_m

    (silent, silent_m), (told, told_m) = flown(None), flown(8.0)
    more = told.covariance - silent.covariance
    np.testing.assert_allclose(more, (8.0**2 - 3.0**2) * np.eye(2), atol=1e-6)
    assert told.protection_m > 8.0 * PROTECTION_SIGMAS
    # However many fixes agree with one another, they are off alike.
    assert told_m > 0.95 * 8.0 * PROTECTION_SIGMAS > 2.0 * silent_m


def changed(frame: Frame, **changes: object) -> list[Event]:
    return [replace(frame, **changes)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda f: changed(f, image=None), Reason.BAD_PICTURE),
        (lambda f: changed(f, image=f.image // 40), Reason.TOO_DARK),
        (lambda f: changed(f, image=cv2.blur(f.image, (61, 1))), Reason.BLURRED),
        (lambda f: changed(f, image=f.image[:, :300]), Reason.BAD_PICTURE),
        (lambda f: changed(f, time_ns=f.time_ns - SECOND), Reason.DUPLICATE_TIME),
        (lambda f: changed(f, time_ns=f.time_ns - 3 * SECOND // 2), Reason.OUT_OF_ORDER),
    ],
)
def test_one_faulty_frame_is_refused_and_the_flight_goes_on(
    area: Area, fault: object, reason: Reason
) -> None:
    def events() -> Iterator[Event]:
        for event in area.events():
            if isinstance(event, Frame) and event.time_ns == FAULTY_S * SECOND:
                yield from fault(event)  # type: ignore[operator]
            else:
                yield event

    navigator, results = area.fly(events())
    assert before_matching(results) == [reason]
    assert_healthy_at_the_end(navigator)


@pytest.mark.parametrize(
    ("kind", "silent_s", "reason"),
    [(Attitude, 1.5, Reason.NO_ATTITUDE), (Height, 7.0, Reason.NO_HEIGHT)],
)
def test_missing_telemetry_is_named(
    area: Area, kind: type, silent_s: float, reason: Reason
) -> None:
    """Silent around the faulty second (the height for long, as it changes slowly)."""
    last = FAULTY_S * SECOND + SECOND // 2
    events = [
        e
        for e in area.events(gnss_until_s=99.0)
        if not (isinstance(e, kind) and last - silent_s * SECOND < e.time_ns < last)
    ]
    navigator, results = area.fly(events)
    assert set(before_matching(results)) == {reason}
    (faulty,) = (r for r in results if r.time_ns == FAULTY_S * SECOND)
    assert faulty.refusal is not None and faulty.refusal.reason is reason
    assert_healthy_at_the_end(navigator)


def test_a_wrong_height_is_refused_and_not_believed(area: Area) -> None:
    events = [
        replace(e, agl_m=3.0 * e.agl_m) if isinstance(e, Height) and e.time_ns > 4 * SECOND else e
        for e in area.events()
    ]
    _, results = area.fly(events)
    late = [r for r in results if r.time_ns > 5 * SECOND]
    assert all(r.refusal is not None for r in late)
    for result in results:
        assert result.estimate is None or error_m(result.estimate) < 25.0


def test_another_place_is_outside_the_map(area: Area) -> None:
    far = offset_latlon(*small_area.SOUTH_WEST, 30_000.0, 0.0)
    navigator = Navigator(area.pack, area.describer, CAMERA)
    for i in range(11):
        navigator.handle(Gnss(i * SECOND // 5, *far, 2.0))
    navigator.handle(Attitude(2 * SECOND, 0.0, 0.0, 0.0))
    navigator.handle(Height(2 * SECOND, small_area.AGL_M))
    result = navigator.handle(Frame(2 * SECOND, area.picture_at(0.0)))
    assert result is not None and result.refusal is not None
    assert result.refusal.reason is Reason.OUTSIDE_MAP


def test_a_map_that_fails_in_flight_refuses_frames(area: Area, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pack"
    shutil.copytree(area.pack.path, damaged)
    with sqlite3.connect(damaged / IMAGERY_NAME) as db:
        db.execute("UPDATE tiles SET tile_data = x'00'")
    pack = MapPack.open(damaged, check_hashes=False)
    navigator = Navigator(pack, area.describer, CAMERA)
    results = [r for e in area.events() if e.time_ns <= SECOND and (r := navigator.handle(e))]
    assert [r.refusal and r.refusal.reason for r in results] == [Reason.MAP_UNREADABLE] * 2
    assert results[-1].estimate is not None  # GNSS carries on


def test_a_network_that_fails_in_flight_refuses_frames(area: Area) -> None:
    describer = Describer(load_bundle(), threads=1)
    navigator = Navigator(area.pack, describer, CAMERA)
    results = []
    for event in area.events():
        if event.time_ns == 3 * SECOND:
            describer.network.close()
        if event.time_ns <= 4 * SECOND and (result := navigator.handle(event)):
            results.append(result)
    earlier, later = results[:3], results[3:]
    assert earlier[-1].fix is not None
    assert [r.refusal and r.refusal.reason for r in later] == [Reason.INFERENCE_FAILED] * 2
    assert later[-1].estimate is not None  # GNSS carries on


def test_silence_ends_in_silence(area: Area) -> None:
    navigator, _ = area.fly(area.events())
    modes = [navigator.mode_at((FRAMES + s) * SECOND) for s in (0, 8, 70)]
    assert modes == [Mode.TRACKING, Mode.COASTING, Mode.LOST]
    assert navigator.estimate_at((FRAMES + 70) * SECOND) is None
