"""What the autopilot is told, field by field, and when."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.messages import Estimate
from onboard.publish import (
    CRITICAL,
    IGNORE_ALT,
    IGNORE_SPEED_ACCURACY,
    IGNORE_VEL_HORIZ,
    IGNORE_VEL_VERT,
    IGNORE_VERTICAL_ACCURACY,
    INFO,
    NOTICE,
    PERIOD_NS,
    WARNING,
    GpsInput,
    Publisher,
    gps_input,
)
from onboard.reasons import Mode
from tests.onboard.flights import GOOD

SECOND = 1_000_000_000
VELOCITY_FLAGS = IGNORE_VEL_HORIZ | IGNORE_SPEED_ACCURACY


@dataclass
class Written:
    """A link that keeps what it was given."""

    sent: list[tuple[str, object]] = field(default_factory=list)

    def send_gps_input(self, fields: GpsInput) -> None:
        self.sent.append(("gps", fields))

    def send_heartbeat(self, has_position: bool) -> None:
        self.sent.append(("heartbeat", has_position))

    def send_text(self, severity: int, text: str) -> None:
        self.sent.append(("text", (severity, text)))

    def of(self, kind: str) -> list[object]:
        return [value for k, value in self.sent if k == kind]


def test_a_trusted_position_in_the_messages_units() -> None:
    m = gps_input(GOOD, 5 * SECOND)
    assert (m.lat, m.lon) == (471234567, -87654321)
    assert (m.fix_type, m.gps_id, m.time_usec) == (3, 1, 5_000_000)
    assert m.horiz_accuracy == 5.0  # sqrt(9 + 16)
    assert (m.alt, m.vert_accuracy) == (512.0, 4.0)
    assert (m.vn, m.ve, m.vd, m.speed_accuracy) == (3.0, -4.0, 0.0, 0.6)
    assert m.ignore_flags == IGNORE_VEL_VERT
    assert m.satellites_visible >= 6 and m.hdop <= 2.5  # or ArduPilot would not arm
    assert m.yaw == 0


def test_no_estimate_is_no_fix() -> None:
    m = gps_input(None, SECOND)
    assert (m.fix_type, m.satellites_visible, m.lat, m.lon) == (1, 0, 0, 0)
    assert m.horiz_accuracy > 1000.0
    assert m.ignore_flags & VELOCITY_FLAGS == VELOCITY_FLAGS
    assert m.ignore_flags & IGNORE_ALT


@pytest.mark.parametrize(
    ("changes", "fix_type"),
    [
        ({}, 3),
        ({"mode": Mode.COASTING}, 3),
        ({"mode": Mode.COASTING, "covariance": np.eye(2) * 400.0}, 1),
        ({"covariance": np.eye(2) * 400.0}, 1),
        ({"mode": Mode.LOST}, 1),
    ],
)
def test_fix_type_is_3_only_while_trusted(changes: dict, fix_type: int) -> None:
    m = gps_input(replace(GOOD, **changes), 0)
    assert m.fix_type == fix_type
    assert (m.satellites_visible >= 6) == (fix_type == 3)


@pytest.mark.parametrize(("sigma", "given"), [(None, False), (0.05, True), (1.5, False)])
def test_velocity_only_when_measured_well(sigma: float | None, given: bool) -> None:
    m = gps_input(replace(GOOD, velocity_sigma_m_s=sigma), 0)
    assert (m.ignore_flags & VELOCITY_FLAGS == 0) is given
    assert (m.speed_accuracy >= 0.3) is given
    assert (m.vn != 0.0) is given


def test_unknown_altitude_is_ignored_not_zero() -> None:
    m = gps_input(replace(GOOD, amsl_m=None, amsl_sigma_m=None), 0)
    assert m.ignore_flags & IGNORE_ALT
    assert m.ignore_flags & IGNORE_VERTICAL_ACCURACY


@pytest.mark.parametrize(
    "changes",
    [
        {"lat_deg": float("nan")},
        {"lon_deg": float("inf")},
        {"covariance": np.full((2, 2), np.nan)},
        {"velocity_east_m_s": float("nan")},
    ],
)
def test_an_estimate_that_is_no_number_is_no_fix(changes: dict) -> None:
    assert gps_input(replace(GOOD, **changes), SECOND) == gps_input(None, SECOND)


@pytest.mark.parametrize("amsl_m", [1e39, float("nan"), -float("inf")])
def test_a_height_that_is_none_is_ignored(amsl_m: float) -> None:
    m = gps_input(replace(GOOD, amsl_m=amsl_m), SECOND)
    assert (m.fix_type, m.alt) == (3, 0.0)
    assert m.ignore_flags & IGNORE_ALT and m.ignore_flags & IGNORE_VERTICAL_ACCURACY


@pytest.mark.parametrize("time_ns", [-(10**30), -1, 0, 10**18, 10**30])
def test_any_time_fits_the_fields(time_ns: int) -> None:
    m = gps_input(GOOD, time_ns, 0)
    mavlink.MAVLink_gps_input_message(**vars(m)).pack(mavlink.MAVLink(None))


def test_gps_time_where_utc_is_known() -> None:
    # 2024-10-30T10:05:16Z, a Wednesday, is GPS week 2338 (3 days + 10:05:34 into it).
    unix_ns = 1_730_282_716 * SECOND
    m = gps_input(GOOD, 7 * SECOND, unix_ns - 7 * SECOND)
    assert m.time_week == 2338
    assert m.time_week_ms == (3 * 86400 + 10 * 3600 + 5 * 60 + 34) * 1000
    assert (gps_input(GOOD, 0).time_week, gps_input(GOOD, 0).time_week_ms) == (0, 0)


def test_each_position_is_that_of_its_own_moment() -> None:
    link, asked = Written(), []

    def estimate_at(time_ns: int) -> Estimate:
        asked.append(time_ns)
        return replace(GOOD, time_ns=time_ns)

    publisher = Publisher(link, estimate_at)
    for tick in range(3, 20):
        publisher.publish_at(tick * PERIOD_NS)
    assert asked == [tick * PERIOD_NS for tick in range(3, 20)]
    assert [m.time_usec * 1000 for m in link.of("gps")] == asked  # type: ignore[attr-defined]


def test_a_heartbeat_a_second_and_a_text_per_mode() -> None:
    modes = [None] * 10 + [Mode.TRACKING] * 20 + [Mode.COASTING] * 10 + [None] * 10
    link = Written()
    ticks = iter(modes)

    def estimate_at(time_ns: int) -> Estimate | None:
        mode = next(ticks)
        return replace(GOOD, time_ns=time_ns, mode=mode) if mode else None

    publisher = Publisher(link, estimate_at)
    for tick in range(50):
        publisher.publish_at(tick * PERIOD_NS)
    assert len(link.of("gps")) == 50
    assert link.of("heartbeat") == [False, True, True, True, False]
    texts = link.of("text")
    assert [severity for severity, _ in texts] == [INFO, NOTICE, WARNING, CRITICAL]
    assert all(len(text) <= 50 for _, text in texts)  # type: ignore[misc]
