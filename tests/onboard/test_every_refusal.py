"""One fault for every reason to refuse and every change of mode: what is said, and what is sent.

Each flight is healthy until BAD_FROM_S; then the fault. Whatever happens, no trusted position
may leave that is far from the truth, and the heartbeat goes on.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from onboard.companion import Companion
from onboard.describe import Describer
from onboard.geodesy import distance_m, offset_latlon
from onboard.loop import Navigator
from onboard.messages import Event, Frame, FrameResult
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import IMAGERY_NAME
from onboard.publish import PERIOD_NS, Publisher
from onboard.reasons import Mode, Reason
from onboard.telemetry_messages import Attitude, Gnss, Height
from tests.onboard.test_loop import CAMERA, SECOND, Area, latlon
from tests.tools import small_area

BAD_FROM_S = 4.0
GNSS_UNTIL_S = 3.0
MOST_OFF_M = 15.0  # of a trusted position
TRUSTED = 3  # GPS_INPUT.fix_type


@dataclass
class Flown:
    """modes: of the estimate at each tick, LOST for none. sent: with the moment's time."""

    results: list[FrameResult]
    modes: list[Mode]
    sent: list[tuple[int, Any]]

    @property
    def reasons(self) -> list[Reason]:
        return [r.refusal.reason for r in self.results if r.refusal is not None]

    def of_type(self, name: str) -> list[tuple[int, Any]]:
        return [(ns, m) for ns, m in self.sent if m.get_type() == name]


Change = Callable[[Event], list[Event]]


def fly(
    area: Area,
    change: Change,
    pack: MapPack | None = None,
    describer: Describer | None = None,
    break_it: Callable[[Navigator], None] = lambda _: None,
    gnss_until_s: float = GNSS_UNTIL_S,
    ticks_after_s: float = 0.0,
) -> Flown:
    navigator = Navigator(pack or area.pack, describer or area.describer, CAMERA)
    flown = Flown([], [], [])
    now_ns = 0

    class Wire:
        def send(self, message: Any) -> None:
            flown.sent.append((now_ns, message))

    companion = Companion(navigator, (Publisher(Wire()),))

    def tick_until(time_ns: int) -> None:
        nonlocal now_ns
        while now_ns + PERIOD_NS <= time_ns:
            now_ns += PERIOD_NS
            companion.tick(now_ns)
            estimate = navigator.estimate_at(now_ns)
            flown.modes.append(estimate.mode if estimate else Mode.LOST)

    broken = False
    for event in area.events(gnss_until_s):
        is_late = event.time_ns >= BAD_FROM_S * SECOND
        if is_late and not broken:
            break_it(navigator)
            broken = True
        for changed in change(event) if is_late else [event]:
            result = companion.handle(changed)
            if result is not None:
                flown.results.append(result)
        tick_until(event.time_ns)
    tick_until(now_ns + round(ticks_after_s * SECOND))
    return flown


def same(event: Event) -> list[Event]:
    return [event]


def frames(alter: Callable[[Frame], list[Event]]) -> Change:
    return lambda e: alter(e) if isinstance(e, Frame) else [e]


def pictures(alter: Callable[[Any], Any]) -> Change:
    return frames(lambda f: [replace(f, image=alter(f.image))])


def without(kind: type) -> Change:
    return lambda e: [] if isinstance(e, kind) else [e]


def attitudes(roll_deg: float = 0.0, yaw_deg: float = 0.0) -> Change:
    def change(event: Event) -> list[Event]:
        if not isinstance(event, Attitude):
            return [event]
        turned = replace(
            event,
            roll=event.roll + math.radians(roll_deg),
            yaw=event.yaw + math.radians(yaw_deg),
        )
        return [turned]

    return change


def heights(scale: float) -> Change:
    return lambda e: [replace(e, agl_m=e.agl_m * scale)] if isinstance(e, Height) else [e]


def frozen(area: Area) -> Change:
    """The same picture while the vehicle turns."""
    picture = area.picture_at(1.0)

    def change(event: Event) -> list[Event]:
        if isinstance(event, Frame):
            return [replace(event, image=picture)]
        if isinstance(event, Attitude):
            return [replace(event, yaw=event.yaw + 0.05 * (event.time_ns / SECOND - BAD_FROM_S))]
        return [event]

    return change


def another_place(east_m: float) -> Callable[[Area], Change]:
    """What a camera so far to the east would see."""

    def make(area: Area) -> Change:
        shift = np.float32([[1, 0, -east_m / small_area.GSD_M], [0, 1, 0]])
        seen = area._picture
        moved = cv2.warpAffine(seen, shift, seen.shape[1::-1], borderMode=cv2.BORDER_WRAP)
        elsewhere = Area.__new__(Area)
        elsewhere._picture = moved
        return frames(lambda f: [replace(f, image=elsewhere.picture_at(f.time_ns / SECOND))])

    return make


def waves(image: Any) -> Any:
    """Right in the large, and nowhere in the small."""
    rows, columns = np.indices(image.shape[:2], np.float32)
    x = columns + 14.0 * np.sin(rows / 23.0) + 10.0 * np.sin(columns / 31.0)
    y = rows + 14.0 * np.sin(columns / 27.0)
    return cv2.remap(image, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)


def noise(image: Any) -> Any:
    return np.random.default_rng(1).integers(0, 256, image.shape, np.uint8)


PICTURE_FAULTS: dict[Reason, Callable[[Area], Change]] = {
    Reason.BAD_PICTURE: lambda _: pictures(lambda image: None),
    Reason.TOO_DARK: lambda _: pictures(lambda image: image // 40),
    Reason.BLURRED: lambda _: pictures(lambda image: cv2.blur(image, (61, 61))),
    Reason.FROZEN: frozen,
    Reason.TOO_FEW_INLIERS: lambda _: pictures(noise),
    Reason.NO_ATTITUDE: lambda _: without(Attitude),
    Reason.NO_HEIGHT: lambda _: without(Height),
    Reason.HEIGHT_OUT_OF_RANGE: lambda _: heights(0.03),
    Reason.TOO_OBLIQUE: lambda _: attitudes(roll_deg=80.0),
    Reason.VIEW_TOO_SMALL: lambda _: heights(0.2),
    Reason.SCALE_DISAGREES: lambda _: heights(1.22),
    Reason.ROTATION_DISAGREES: lambda _: attitudes(yaw_deg=14.0),
    Reason.AMBIGUOUS: lambda _: attitudes(yaw_deg=17.0),
    Reason.INNOVATION_TOO_LARGE: another_place(40.0),
    Reason.FAR_FROM_PRIOR: another_place(68.0),
    Reason.DUPLICATE_TIME: lambda _: frames(lambda f: [f, f]),
    Reason.OUT_OF_ORDER: lambda _: frames(
        lambda f: [f, replace(f, time_ns=f.time_ns - SECOND // 2)]
    ),
}
# Those that need another way of breaking things have a test of their own below.
ELSEWHERE = {
    Reason.OUTSIDE_MAP,
    Reason.MAP_UNREADABLE,
    Reason.INFERENCE_FAILED,
    Reason.NO_CANDIDATE,
    Reason.RESIDUAL_TOO_LARGE,
    Reason.WEAK_MATCH,
    Reason.UNCONFIRMED,
}


@pytest.fixture(scope="module")
def area(tmp_path_factory: pytest.TempPathFactory) -> Area:
    return Area(small_area.make_small_area(tmp_path_factory.mktemp("refusals")))


def assert_nothing_unsafe(flown: Flown) -> None:
    beats = [ns for ns, _ in flown.of_type("HEARTBEAT")]
    assert len(beats) >= 7 and max(np.diff(beats)) <= 1.2 * SECOND
    positions = flown.of_type("GPS_INPUT")
    assert max(np.diff([ns for ns, _ in positions])) == PERIOD_NS
    for ns, m in positions:
        if m.fix_type == TRUSTED:
            off_m = distance_m(m.lat * 1e-7, m.lon * 1e-7, *latlon(ns / SECOND))
            assert off_m < MOST_OFF_M, f"{off_m:.1f} m off at {ns / SECOND:.1f} s"


def test_every_reason_has_its_fault() -> None:
    assert set(PICTURE_FAULTS) | ELSEWHERE == set(Reason)
    assert not set(PICTURE_FAULTS) & ELSEWHERE


@pytest.mark.parametrize("reason", PICTURE_FAULTS, ids=lambda reason: reason.value)
def test_a_fault_is_refused_by_its_name_and_nothing_wrong_is_sent(
    area: Area, reason: Reason
) -> None:
    flown = fly(area, PICTURE_FAULTS[reason](area))
    assert reason in flown.reasons
    assert_nothing_unsafe(flown)


def test_outside_the_map(area: Area) -> None:
    """GNSS leads to where there is no map, before any fix was found."""
    far = offset_latlon(*small_area.SOUTH_WEST, 30_000.0, 0.0)
    everything_far: Change = lambda e: [  # noqa: E731
        replace(e, lat_deg=far[0], lon_deg=far[1]) if isinstance(e, Gnss) else e
    ]
    navigator = Navigator(area.pack, area.describer, CAMERA)
    reasons = []
    for event in area.events(99.0):
        for changed in everything_far(event):
            result = navigator.handle(changed)
            if result is not None and result.refusal is not None:
                reasons.append(result.refusal.reason)
    assert Reason.OUTSIDE_MAP in reasons


def test_a_map_that_fails_in_flight(area: Area, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pack"
    shutil.copytree(area.pack.path, damaged)
    with sqlite3.connect(damaged / IMAGERY_NAME) as db:
        db.execute("UPDATE tiles SET tile_data = x'00'")
    flown = fly(area, same, pack=MapPack.open(damaged, check_hashes=False))
    assert set(flown.reasons) == {Reason.MAP_UNREADABLE}
    assert_nothing_unsafe(flown)


def test_a_network_that_fails_in_flight(area: Area) -> None:
    describer = Describer(load_bundle(), threads=1)
    flown = fly(area, same, describer=describer, break_it=lambda _: describer.network.close())
    assert Reason.INFERENCE_FAILED in flown.reasons
    assert_nothing_unsafe(flown)


class Spoilt(Describer):
    """A device that answers with figures that are none."""

    spoilt = False

    def describe(self, pictures: Any) -> Any:
        described = super().describe(pictures)
        if not self.spoilt:
            return described
        return [replace(d, descriptor=np.full_like(d.descriptor, np.nan)) for d in described]


def test_a_descriptor_that_is_no_number_finds_nothing(area: Area) -> None:
    describer = Spoilt(load_bundle(), threads=1)

    def spoil(_: Navigator) -> None:
        describer.spoilt = True

    flown = fly(area, same, describer=describer, break_it=spoil)
    assert Reason.NO_CANDIDATE in flown.reasons
    assert_nothing_unsafe(flown)


def test_a_fix_that_is_no_number_goes_nowhere(area: Area) -> None:
    def break_it(navigator: Navigator) -> None:
        find = navigator._localizer.find

        def broken(*args: Any) -> FrameResult:
            result = find(*args)
            return (
                replace(result, fix=replace(result.fix, lat_deg=math.nan)) if result.fix else result
            )

        navigator._localizer.find = broken  # type: ignore[method-assign]

    flown = fly(area, same, break_it=break_it)
    assert Reason.WEAK_MATCH in flown.reasons
    assert_nothing_unsafe(flown)


def test_a_picture_bent_in_the_small(area: Area) -> None:
    """By whichever gate: agreement is too little or too loose."""
    flown = fly(area, pictures(waves))
    assert {Reason.RESIDUAL_TOO_LARGE, Reason.TOO_FEW_INLIERS} & set(flown.reasons)
    assert_nothing_unsafe(flown)


def test_lost_at_the_start_waits_for_agreement(area: Area) -> None:
    flown = fly(area, same, gnss_until_s=0.0)
    assert flown.reasons[:2] == [Reason.UNCONFIRMED] * 2
    assert flown.modes[0] is Mode.LOST and flown.modes[-1] is Mode.TRACKING
    assert_nothing_unsafe(flown)


def test_tracking_coasting_lost(area: Area) -> None:
    """The camera goes for good."""
    flown = fly(area, pictures(lambda image: None), ticks_after_s=70.0)
    tracked = flown.modes.index(Mode.TRACKING)
    order = list(dict.fromkeys(flown.modes[tracked:]))
    assert order == [Mode.TRACKING, Mode.COASTING, Mode.LOST]
    last = flown.of_type("GPS_INPUT")[-1][1]
    assert last.fix_type < TRUSTED
    texts = [m.text for _, m in flown.of_type("STATUSTEXT")]
    assert any("coasting" in t for t in texts) and any("lost" in t for t in texts)


def test_coasting_becomes_tracking_again(area: Area) -> None:
    def dark_for_a_while(event: Event) -> list[Event]:
        if isinstance(event, Frame) and event.time_ns < (BAD_FROM_S + 2) * SECOND:
            return []
        return [event]

    flown = fly(area, dark_for_a_while)
    assert flown.modes[-1] is Mode.TRACKING
    assert_nothing_unsafe(flown)
