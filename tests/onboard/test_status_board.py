"""What the status page is told: bounded, consistent, and JSON whatever the figures."""

from __future__ import annotations

import dataclasses
import json
import math
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.companion import FrameBegun, FrameMoved, Handled, Ticked
from onboard.geodesy import distance_m, offset_latlon
from onboard.messages import Frame, GnssAssessment
from onboard.reasons import GnssState, Reason
from onboard.telemetry_messages import Gnss
from onboard.web.status_board import KEPT_REFUSALS, LATENCY_FRAMES, MAX_RECEIVERS, StatusBoard
from onboard.web.status_json import status_json, tracks_json
from onboard.web.track import GAP_NS, Track
from tests.onboard import journalled_flight as flight

SECOND = 1_000_000_000


def test_an_empty_board_says_that_nothing_flies() -> None:
    told = status_json(StatusBoard().read())
    assert (told["flying"], told["silent_s"], told["mode"]) == (False, None, "lost")
    assert told["estimate"] is None and told["frame"] is None and told["pictured"] is None
    json.dumps(told, allow_nan=False)


def test_a_flight_is_told_as_it_went() -> None:
    board = StatusBoard()
    flight.fly(board)
    told = status_json(board.read())
    assert told["flying"] and told["mode"] == "tracking"
    assert told["gnss"]["state"] == "jammed" and told["gnss"]["evidence"] == ["12 satellites"]
    assert told["vehicle"]["flight_mode"] == "AUTO"
    assert (told["frames"], told["fixes"], told["refused"]) == (30, 20, {"ambiguous": 10})
    assert told["pictured"]["number"] == 29 and told["pictured"]["shown"] == "match"
    assert [r["name"] for r in told["refusals"]][:2] == ["frame 27", "frame 24"]
    assert len(told["refusals"]) == KEPT_REFUSALS
    assert [s["stage"] for s in told["latency_ms"]] == ["input", "describe", "fuse"]
    assert told["estimate"]["protection_m"] == 21.0
    assert told["sent"] == {"STATUSTEXT": 1} and told["texts"] == ["Pilotage: has a position"]
    assert {"name": "recorder", "problem": "disk full", "detail": "16 GB"} in told["health"]


def test_the_ellipse_lies_as_the_covariance_does() -> None:
    board = StatusBoard()
    turn = math.radians(30.0)
    axes = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    covariance = axes @ np.diag([25.0, 4.0]) @ axes.T
    estimate = dataclasses.replace(flight.estimate(1.0), covariance=covariance)
    board.note(Ticked(SECOND, estimate, GnssAssessment(SECOND, GnssState.GOOD, 0)))
    along_m, across_m, direction = status_json(board.read())["estimate"]["ellipse_95"]
    assert (along_m, across_m) == pytest.approx((5 * 2.4477, 2 * 2.4477), rel=1e-3)
    assert direction == pytest.approx(turn)


@given(st.floats(), st.floats(), st.floats(), st.floats())
def test_no_figure_breaks_the_json(lat: float, lon: float, sigma: float, age: float) -> None:
    board = StatusBoard()
    estimate = dataclasses.replace(
        flight.estimate(1.0),
        lat_deg=lat,
        lon_deg=lon,
        fix_age_s=age,
        protection_m=sigma,
        covariance=np.array([[sigma, age], [age, lat]]),
    )
    board.note(Handled(Gnss(0, lat, lon, sigma)))
    board.note(Ticked(SECOND, estimate, GnssAssessment(SECOND, GnssState.GOOD, 0)))
    json.dumps(status_json(board.read()), allow_nan=False)
    json.dumps(tracks_json(board, {}), allow_nan=False)


def test_memory_stays_bounded_in_a_long_flight() -> None:
    board = StatusBoard()
    for i in range(20_000):
        board.note(flight.ticked(i * 0.5))
    for i in range(300):
        board.note(flight.found(i, i))
        board.note(Handled(Gnss(i * SECOND, 47.0, 8.5, receiver=i)))
        board.note(FrameBegun(i, Frame(i, None)))
        board.note(FrameMoved(i))
    assert len(board.track("estimate", 0, 0)[2]) < 1500
    read = board.read()
    assert len(read.receivers) == MAX_RECEIVERS
    assert all(len(kept) == LATENCY_FRAMES for kept in read.stage_ms.values())


def test_a_thinned_track_keeps_its_course_and_its_breaks() -> None:
    track = Track(capacity=100)
    for i in range(1000):
        gap_ns = 2 * GAP_NS if i >= 500 else 0
        track.add(i * SECOND + gap_ns, *offset_latlon(47.0, 8.5, 3.0 * i, 0.0))
    assert len(track.points) < 100 and track.thinned > 3
    assert [p.begins for p in track.points].count(True) == 2
    steps_m = [
        distance_m(a.lat_deg, a.lon_deg, b.lat_deg, b.lon_deg)
        for a, b in zip(track.points, track.points[1:], strict=False)
    ]
    assert max(steps_m) < 2 * 3.0 * 1000 / 50
    assert distance_m(47.0, 8.5, track.points[0].lat_deg, track.points[0].lon_deg) < 1.0


def test_a_page_that_holds_points_is_sent_those_behind_them() -> None:
    board = StatusBoard()
    for i in range(10):
        board.note(flight.ticked(i))
    thinned, first, points = board.track("estimate", 0, 0)
    assert (thinned, first, len(points)) == (0, 0, 10)
    board.note(flight.ticked(10))
    assert board.track("estimate", 0, 10)[1] == 10
    assert len(board.track("estimate", 0, 10)[2]) == 1
    assert board.track("estimate", 7, 10)[1] == 0  # thinned since: all again
    assert board.track("estimate", 0, 99)[1] == 0


def test_a_receiver_without_position_draws_nothing() -> None:
    board = StatusBoard()
    board.note(Handled(Gnss(0, 0.0, 0.0)))
    board.note(flight.receiver(1.0, has_fix=False))
    assert board.track_names() == []


def test_readers_and_the_flight_do_not_disturb_each_other() -> None:
    board, stop, failures = StatusBoard(), threading.Event(), []

    def read() -> None:
        try:
            while not stop.is_set():
                json.dumps(status_json(board.read()), allow_nan=False)
                tracks_json(board, {"estimate": (0, 5)})
        except Exception as e:
            failures.append(e)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i in range(300):
        board.note(flight.ticked(i))
        board.note(flight.refused(i, i, list(Reason)[i % len(Reason)]))
        board.set_health(f"part {i % 5}")
    stop.set()
    for reader in readers:
        reader.join(10)
    assert failures == []
