"""What the autopilot is told and when: policy, rates, texts, resets."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.flight_settings import Output, PublishSettings, PublishWhen
from onboard.fuse import Estimator
from onboard.messages import Estimate, GnssAssessment
from onboard.outputs.policy import GOOD_FOR_NS
from onboard.outputs.status_text import CRITICAL, INFO, NOTICE, WARNING
from onboard.publish import PERIOD_NS, Publisher
from onboard.reasons import GnssState, Mode
from onboard.telemetry_messages import Attitude, LocalOrigin, VehicleState
from tests.onboard.flights import GOOD, LAT_DEG, LON_DEG, error_m, fix, motion

SECOND = 1_000_000_000
ORIGIN = LocalOrigin(0, GOOD.lat_deg, GOOD.lon_deg, 500.0)


@dataclass
class Written:
    """A link that keeps what it was given."""

    sent: list[Any] = field(default_factory=list)

    def send(self, message: Any) -> None:
        self.sent.append(message)

    def of(self, kind: str) -> list[Any]:
        return [m for m in self.sent if m.get_type() == kind]

    @property
    def texts(self) -> list[tuple[int, str]]:
        return [(m.severity, m.text) for m in self.of("STATUSTEXT")]


def gnss(now_ns: int, state: GnssState = GnssState.GOOD) -> GnssAssessment:
    return GnssAssessment(now_ns, state, now_ns)


def vehicle(time_ns: int = 0, armed: bool = True, autopilot: str = "ardupilot") -> VehicleState:
    return VehicleState(time_ns, autopilot, "copter", armed, "AUTO")


def moved(time_ns: int, north_m: float = 0.0, **changes: Any) -> Estimate:
    """GOOD, flown on at its velocity to time_ns, and north_m beside."""
    since_s = (time_ns - GOOD.time_ns) * 1e-9
    north = GOOD.velocity_north_m_s * since_s + north_m
    lat = GOOD.lat_deg + north / 111_200.0
    lon = GOOD.lon_deg + GOOD.velocity_east_m_s * since_s / (111_320.0 * 0.6804)
    return replace(GOOD, time_ns=time_ns, lat_deg=lat, lon_deg=lon, **changes)


def test_each_position_is_that_of_its_own_moment() -> None:
    link = Written()
    publisher = Publisher(link)
    for tick in range(3, 20):
        now = tick * PERIOD_NS
        publisher.act(now, moved(now), gnss(now))
    times = [m.time_usec * 1000 for m in link.of("GPS_INPUT")]
    assert times == [tick * PERIOD_NS for tick in range(3, 20)]
    assert {m.fix_type for m in link.of("GPS_INPUT")} == {3}


def test_a_heartbeat_a_second_and_a_text_per_mode() -> None:
    modes = [None] * 40 + [Mode.TRACKING] * 40 + [Mode.COASTING] * 40 + [None] * 40
    link = Written()
    publisher = Publisher(link)
    for tick, mode in enumerate(modes):
        now = tick * PERIOD_NS
        publisher.act(now, moved(now, mode=mode) if mode else None, gnss(now, GnssState.UNKNOWN))
    assert len(link.of("GPS_INPUT")) == 160
    active = [m.system_status == 4 for m in link.of("HEARTBEAT")]
    assert active == [False] * 4 + [True] * 8 + [False] * 4
    assert [severity for severity, _ in link.texts] == [INFO, NOTICE, WARNING, CRITICAL]
    assert all(len(text) <= 50 for _, text in link.texts)


def test_however_much_flickers_the_pilot_is_not_flooded() -> None:
    link = Written()
    publisher = Publisher(link)
    states = [GnssState.GOOD, GnssState.JAMMED, GnssState.LOST]
    for tick in range(600):
        now = tick * PERIOD_NS
        mode = [Mode.TRACKING, Mode.COASTING, Mode.LOST][tick % 3]
        publisher.act(now, moved(now, mode=mode), gnss(now, states[tick % 3]))
    assert 2 * 15 <= len(link.texts) <= 2 * 21  # a minute, two topics, 3 s apart


@pytest.mark.parametrize(
    ("when", "calling"),
    [
        (PublishWhen.ON_LOSS, {"lost", "jammed", "spoofed", "unknown"}),
        (PublishWhen.ON_SPOOF, {"spoofed"}),
        (PublishWhen.ALWAYS, set(s.value for s in GnssState)),
    ],
)
@pytest.mark.parametrize("state", list(GnssState))
def test_the_policy_decides_in_which_state_a_position_is_offered(
    when: PublishWhen, calling: set[str], state: GnssState
) -> None:
    link = Written()
    publisher = Publisher(link, PublishSettings(when=when))
    publisher.hear(vehicle())
    publisher.act(SECOND, moved(SECOND), gnss(SECOND, state))
    (message,) = link.of("GPS_INPUT")
    assert message.fix_type == (3 if state.value in calling else 1)


def test_the_offer_is_withdrawn_only_after_gnss_was_good_for_long() -> None:
    link = Written()
    publisher = Publisher(link, PublishSettings(when=PublishWhen.ON_LOSS))
    flicker = [GnssState.LOST] + ([GnssState.GOOD] * 30 + [GnssState.JAMMED]) * 3
    steady = [GnssState.GOOD] * 80
    for tick, state in enumerate(flicker + steady):
        now = tick * PERIOD_NS
        publisher.hear(vehicle(now))
        publisher.act(now, moved(now), gnss(now, state))
    fixes = [m.fix_type for m in link.of("GPS_INPUT")]
    offered = len(flicker) + GOOD_FOR_NS // PERIOD_NS
    assert fixes == [3] * offered + [1] * (len(fixes) - offered)


def test_while_the_receiver_is_deselected_no_policy_withholds_a_position() -> None:
    link = Written()
    settings = PublishSettings(when=PublishWhen.ON_LOSS)
    publisher = Publisher(link, settings, is_held=lambda: True)
    for now in range(0, 20 * SECOND, PERIOD_NS):
        publisher.hear(vehicle(now))
        publisher.act(now, moved(now), gnss(now))
    assert {m.fix_type for m in link.of("GPS_INPUT")} == {3}


def test_disarmed_every_trusted_position_is_told_so_that_it_can_be_armed() -> None:
    link = Written()
    publisher = Publisher(link, PublishSettings(when=PublishWhen.ON_SPOOF))
    for now, armed in ((0, False), (SECOND, False), (2 * SECOND, True)):
        publisher.hear(vehicle(now, armed))
        publisher.act(now, moved(now), gnss(now))
    publisher.act(4 * SECOND, None, gnss(4 * SECOND))
    publisher.hear(vehicle(5 * SECOND, armed=False))
    publisher.act(20 * SECOND, moved(20 * SECOND), gnss(20 * SECOND))  # heard long ago
    assert [m.fix_type for m in link.of("GPS_INPUT")] == [3, 3, 1, 1, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"mode": Mode.LOST},
        {"covariance": np.eye(2) * 400.0},
        {"covariance": np.full((2, 2), np.nan)},
        {"lat_deg": float("nan")},
    ],
)
@pytest.mark.parametrize("output", [o for o in Output if o is not Output.NMEA])
def test_nothing_tells_a_position_that_is_not_trusted(output: Output, changes: dict) -> None:
    link = Written()
    publisher = Publisher(link, PublishSettings(outputs=(output,)))
    publisher.hear(vehicle())
    publisher.hear(ORIGIN)
    for now in range(0, 3 * SECOND, PERIOD_NS):
        publisher.hear(Attitude(now, 0.0, 0.0, 0.0))
        publisher.act(now, replace(moved(now), **changes), gnss(now, GnssState.LOST))
    told = [m for m in link.sent if m.get_type() not in ("HEARTBEAT", "STATUSTEXT")]
    assert all(m.get_type() == "GPS_INPUT" and m.fix_type == 1 for m in told)
    assert bool(told) is (output is Output.GPS_INPUT)


@pytest.mark.parametrize(
    ("output", "a_minute"),
    [
        (Output.GPS_INPUT, 600),
        (Output.ODOMETRY, 600),
        (Output.VISION_POSITION, 600),
        (Output.GLOBAL_POSITION, 300),
        (Output.EXTERNAL_POSITION, 30),
    ],
)
def test_rates_though_ticks_jitter(output: Output, a_minute: int) -> None:
    link, rng = Written(), np.random.default_rng(3)
    publisher = Publisher(link, PublishSettings(outputs=(output,)))
    publisher.hear(ORIGIN)
    for tick in range(600):
        now = 5 * SECOND + tick * PERIOD_NS + int(rng.integers(0, 30_000_000))
        publisher.hear(vehicle(now))
        publisher.hear(Attitude(now, 0.0, 0.0, 0.0))
        publisher.act(now, moved(now), gnss(now))
    count = len([m for m in link.sent if m.get_type() not in ("HEARTBEAT", "STATUSTEXT")])
    assert count == pytest.approx(a_minute, abs=2)
    assert len(link.of("HEARTBEAT")) == pytest.approx(60, abs=1)


@pytest.mark.parametrize("output", [Output.ODOMETRY, Output.VISION_POSITION])
def test_without_an_origin_nothing_local_is_sent_and_the_pilot_is_told_once(
    output: Output,
) -> None:
    link = Written()
    publisher = Publisher(link, PublishSettings(outputs=(output,)))
    for now in range(0, 10 * SECOND, PERIOD_NS):
        publisher.hear(vehicle(now))
        publisher.hear(Attitude(now, 0.0, 0.0, 0.0))
        publisher.act(now, moved(now), gnss(now))
    assert {m.get_type() for m in link.sent} == {"HEARTBEAT", "STATUSTEXT"}
    said = [text for _, text in link.texts]
    assert said.count("Pilotage: waits for autopilot's origin") == 1


def test_after_a_silence_several_fixes_must_agree_before_one_is_told() -> None:
    """With the estimator that flies: one lucky match never becomes the autopilot's position."""
    link, estimator = Written(), Estimator((LAT_DEG, LON_DEG))
    publisher = Publisher(link)

    def told_after(now_s: float) -> int:
        now = round(now_s * SECOND)
        publisher.act(now, estimator.estimate_at(now), gnss(now, GnssState.LOST))
        return int(link.of("GPS_INPUT")[-1].fix_type)

    for i in range(3):  # the first after a start, and again after 100 s of nothing
        begin_s = 10.0 + 100.0 * i
        assert told_after(begin_s - 0.1) == 1
        estimator.add_fix(fix(begin_s))
        assert told_after(begin_s + 0.1) == 1
        estimator.add_fix(fix(begin_s + 0.5, 300.0, 0.0))  # somewhere else
        assert told_after(begin_s + 0.6) == 1
        for step in range(1, 7):
            at_s = begin_s + 0.5 + 0.5 * step
            estimator.add_exposure(round(at_s * SECOND), motion(at_s - 0.5, at_s))
            estimator.add_fix(fix(at_s))
        assert told_after(begin_s + 3.6) == 3
        last = link.of("GPS_INPUT")[-1]
        assert error_m(begin_s + 3.6, last.lat * 1e-7, last.lon * 1e-7) < 5.0


def resets(events: list[tuple[int, Estimate | None, LocalOrigin | None]]) -> list[int]:
    link = Written()
    publisher = Publisher(link, PublishSettings(outputs=(Output.ODOMETRY,)))
    publisher.hear(ORIGIN)
    for now, estimate, origin in events:
        publisher.hear(vehicle(now))
        publisher.hear(Attitude(now, 0.0, 0.0, 0.0))
        if origin is not None:
            publisher.hear(origin)
        publisher.act(now, estimate, gnss(now))
    return [m.reset_counter for m in link.of("ODOMETRY")]


def test_the_reset_counter_counts_in_the_message_that_jumps() -> None:
    times = [5 * SECOND + i * PERIOD_NS for i in range(6)]
    steps = [0.0, 0.0, 10.0, 50.0, 50.0, 50.0]  # 10 m is within what was told, 40 m is not
    flown = [(t, moved(t, n), None) for t, n in zip(times, steps, strict=True)]
    first, *rest = resets(flown)
    assert [r - first for r in rest] == [0, 0, 1, 1, 1]
    sharp = np.eye(2) * 0.01
    flown = [(t, moved(t, n, covariance=sharp), None) for t, n in zip(times, steps, strict=True)]
    first, *rest = resets(flown)
    assert [r - first for r in rest] == [0, 1, 2, 2, 2]


def test_a_position_after_silence_and_a_moved_origin_are_resets() -> None:
    t = [5 * SECOND + i * PERIOD_NS for i in range(5)]
    elsewhere = replace(ORIGIN, lat_deg=ORIGIN.lat_deg + 0.001)
    counts = resets(
        [
            (t[0], moved(t[0]), None),
            (t[1], None, None),
            (t[2], moved(t[2]), ORIGIN),
            (t[3], moved(t[3]), elsewhere),
            (t[4], moved(t[4]), elsewhere),
        ]
    )
    assert [c - counts[0] for c in counts] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ((), "empty"),
        ((Output.EXTERNAL_POSITION, Output.ODOMETRY), "different clocks"),
        ((Output.VISION_POSITION, Output.ODOMETRY), "twice"),
    ],
)
def test_outputs_that_do_not_go_together(outputs: tuple[Output, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Publisher(Written(), PublishSettings(outputs=outputs))


def test_nmea_goes_to_its_own_link() -> None:
    link, nmea_link = Written(), Written()
    settings = PublishSettings(outputs=(Output.NMEA,), nmea_address="udpout:127.0.0.1:10110")
    with pytest.raises(InputError, match="nmea_address"):
        Publisher(link, settings)
    publisher = Publisher(link, settings, nmea_link=nmea_link)
    for now in range(5 * SECOND, 7 * SECOND, PERIOD_NS):
        publisher.act(now, moved(now), gnss(now))
    assert len(nmea_link.sent) == 10
    assert all(m.startswith(b"$GNGGA,") and m.endswith(b"\r\n") for m in nmea_link.sent)
    assert {m.get_type() for m in link.sent} == {"HEARTBEAT", "STATUSTEXT"}
