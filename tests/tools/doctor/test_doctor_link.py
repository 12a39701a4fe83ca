"""Checks of the link, both ways, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.geodesy import offset_latlon
from tests.tools.doctor.ready_flight import found, named, outcome
from tests.tools.doctor.small_autopilot import STREAMED, SmallAutopilot
from tests.tools.small_area import SOUTH_WEST, SmallArea
from tools.doctor import autopilot_session, link_checks, map_checks
from tools.doctor.check import Finding, Outcome
from tools.doctor.run_checks import look
from tools.doctor.subject import Subject

PASS, WARN, FAIL, SKIP = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.SKIP
CHECKS = link_checks.CHECKS


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_checks, "COUNTED_S", 1.0)
    monkeypatch.setattr(autopilot_session, "HEARTBEAT_WITHIN_S", 1.5)


@contextmanager
def hearing(**autopilot: object) -> Iterator[Subject]:
    with SmallAutopilot(**autopilot) as vehicle:  # type: ignore[arg-type]
        subject = Subject(link_address=vehicle.address)
        yield subject
        subject.close()


def _streams(subject: Subject) -> dict[str, Finding]:
    return {f.part: f for f in look(named(CHECKS, "link.stream"), subject)}


def test_a_good_link() -> None:
    gps2 = mavlink.MAVLINK_MSG_ID_GPS2_RAW
    with hearing(streamed=(*STREAMED, gps2), has_origin=True) as subject:
        for name in ("opens", "heartbeat", "autopilot", "system_id", "clock", "signing"):
            assert outcome(named(CHECKS, f"link.{name}"), subject) is PASS, name
        assert {f.outcome for f in _streams(subject).values()} == {PASS}
        assert outcome(named(CHECKS, "link.gnss"), subject) is PASS
        assert "4.7.0, disarmed" in found(named(CHECKS, "link.autopilot"), subject).said


def test_a_silent_autopilot() -> None:
    with hearing(silent=True) as subject:
        assert outcome(named(CHECKS, "link.heartbeat"), subject) is FAIL
        assert "nothing comes" in found(named(CHECKS, "link.heartbeat"), subject).said
        assert outcome(named(CHECKS, "link.clock"), subject) is SKIP


def test_another_vehicle(tmp_path) -> None:
    with SmallAutopilot(system=9) as vehicle:
        path = tmp_path / "flight.toml"
        path.write_text(f'[link]\naddress = "{vehicle.address}"\nsystem_id = 3\n')
        subject = Subject(path)
        finding = found(named(CHECKS, "link.heartbeat"), subject)
        subject.close()
    assert finding.outcome is FAIL and "system_id" in finding.mend


def test_a_wrong_baud_rate() -> None:
    """Bytes, but no MAVLink."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        subject = Subject(link_address=f"tcp:127.0.0.1:{server.getsockname()[1]}")
        subject.autopilot.get()
        client, _ = server.accept()
        client.sendall(bytes(range(256)) * 8)
        finding = found(named(CHECKS, "link.heartbeat"), subject)
        client.close()
        subject.close()
    assert finding.outcome is FAIL and "baud" in finding.mend


def test_an_address_that_is_none() -> None:
    assert outcome(named(CHECKS, "link.opens"), Subject(link_address="nowhere")) is FAIL
    assert outcome(named(CHECKS, "link.heartbeat"), Subject(link_address="nowhere")) is SKIP


def test_streams_that_do_not_come() -> None:
    with hearing(streamed=(mavlink.MAVLINK_MSG_ID_ATTITUDE,)) as subject:
        streams = _streams(subject)
    assert streams["ATTITUDE"].outcome is PASS
    assert streams["GPS_RAW_INT"].outcome is streams["GLOBAL_POSITION_INT"].outcome is FAIL
    assert streams["GPS2_RAW"].outcome is WARN and "GPS2_TYPE = 14" in streams["GPS2_RAW"].mend


def test_an_old_firmware_and_a_foreign_one() -> None:
    with hearing(version=(4, 3, 1)) as subject:
        assert outcome(named(CHECKS, "link.autopilot"), subject) is WARN


def test_a_clock_that_does_not_answer() -> None:
    with hearing(answers_time=False) as subject:
        assert outcome(named(CHECKS, "link.clock"), subject) is WARN


def test_a_receiver_without_fix() -> None:
    with hearing(fix_type=1) as subject:
        _streams(subject)
        assert outcome(named(CHECKS, "link.gnss"), subject) is WARN


@pytest.mark.parametrize(("has_origin", "expected"), [(True, PASS), (False, WARN)])
def test_the_origin(tmp_path, has_origin: bool, expected: Outcome) -> None:
    with SmallAutopilot(has_origin=has_origin) as vehicle:
        path = tmp_path / "flight.toml"
        path.write_text(
            f'[link]\naddress = "{vehicle.address}"\n[publish]\noutputs = ["odometry"]\n'
        )
        subject = Subject(path)
        assert outcome(named(CHECKS, "link.origin"), subject) is expected
        subject.close()
    with hearing() as subject:
        assert outcome(named(CHECKS, "link.origin"), subject) is SKIP


@pytest.mark.parametrize(
    ("place", "expected"),
    [((SOUTH_WEST[0] + 0.001, SOUTH_WEST[1] + 0.001), PASS),
     (offset_latlon(*SOUTH_WEST, -800.0, 100.0), WARN),
     (offset_latlon(*SOUTH_WEST, -1200.0, 100.0), FAIL), ((47.0, 8.0), FAIL), ((0.0, 0.0), SKIP)],
)  # fmt: skip
def test_whether_the_map_holds_the_vehicle(
    tmp_path, small_area: SmallArea, place: tuple[float, float], expected: Outcome
) -> None:
    with SmallAutopilot(place=place) as vehicle:
        path = tmp_path / "flight.toml"
        path.write_text(f'map = "{small_area.pack}"\n[link]\naddress = "{vehicle.address}"\n')
        subject = Subject(path)
        assert outcome(named(map_checks.CHECKS, "map.covers_vehicle"), subject) is expected
        subject.close()


def test_an_unsigned_network_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    with hearing() as subject:
        assert outcome(named(CHECKS, "link.signing"), subject) is PASS
        monkeypatch.setattr(link_checks, "_is_local", lambda _: False)
        assert outcome(named(CHECKS, "link.signing"), subject) is WARN
