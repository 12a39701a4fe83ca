"""GNSS in a flight, one fault at a time: what is said of it, what becomes of the estimate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from onboard.fusion import Fusion
from onboard.gnss.gnss_evidence import AutopilotEvidence
from onboard.messages import Event, Fix
from onboard.reasons import GnssState
from onboard.telemetry_messages import (
    EkfStatus,
    Gnss,
    GnssIntegrity,
    ParameterValue,
    SensorHealth,
    VehicleState,
)
from tools.gnss_study import ORIGIN, Conditions, Moment, false_alarms, fly

FAULT_S = 60.0
CALM = Conditions(mounting_deg=(0.5, -0.5), outliers=0.0, gaps=0.0)
Change = Callable[[Gnss, float], list[Event]]


def flown(
    change: Change = lambda gnss, _: [gnss],
    seconds: float = 100.0,
    offset: Callable[[float], tuple[float, float]] = lambda _: (0.0, 0.0),
    **options: object,
) -> list[Moment]:
    return list(fly(CALM, seconds, 3, offset, change, **options))  # type: ignore[arg-type]


def states(moments: list[Moment], from_s: float, to_s: float) -> set[GnssState]:
    return {m.gnss.state for m in moments if from_s <= m.time_s < to_s}


def first_s(moments: list[Moment], *wanted: GnssState, after_s: float = FAULT_S) -> float:
    """How long after the fault a state was entered."""
    times = (m.time_s for m in moments if m.gnss.state in wanted and m.time_s >= after_s)
    return next(times, math.inf) - after_s


def assert_estimate_holds(moments: list[Moment], worst_m: float = 15.0) -> None:
    late = [m for m in moments if m.time_s >= FAULT_S]
    assert all(m.error_m is not None for m in late)
    assert max(m.error_m or 0.0 for m in late) < worst_m


def from_fault(told: Callable[[Gnss, float], list[Event]]) -> Change:
    return lambda gnss, time_s: told(gnss, time_s - FAULT_S) if time_s >= FAULT_S else [gnss]


def no_fix(gnss: Gnss) -> Gnss:
    return replace(gnss, has_fix=False, fix_type=1, satellites=3)


def test_good_gnss_is_good_after_a_second() -> None:
    moments = flown()
    assert states(moments, 0.0, 0.9) == {GnssState.UNKNOWN}
    assert states(moments, 1.2, 100.0) == {GnssState.GOOD}
    assert_estimate_holds(moments)


def test_a_reported_loss_is_seen_at_once() -> None:
    moments = flown(from_fault(lambda gnss, _: [no_fix(gnss)]))
    assert first_s(moments, GnssState.LOST) <= 0.3
    assert moments[-1].gnss.evidence == ("no fix (type 1, 3 satellites)",)
    assert states(moments, FAULT_S, 100.0) == {GnssState.LOST}
    assert_estimate_holds(moments)


def test_a_loss_told_with_the_time_of_the_last_fix_is_a_loss() -> None:
    def stale(gnss: Gnss, _: float) -> list[Event]:
        return [replace(no_fix(gnss), time_ns=round((FAULT_S - 0.2) * 1e9))]

    moments = flown(from_fault(stale))
    assert first_s(moments, GnssState.LOST) <= 0.3


def test_a_silent_receiver_is_lost_after_a_second() -> None:
    moments = flown(from_fault(lambda gnss, _: []))
    assert 0.8 <= first_s(moments, GnssState.LOST) <= 1.2
    assert "silent for" in moments[-1].gnss.evidence[0]
    assert_estimate_holds(moments)


def test_a_loss_for_a_moment_is_forgiven_after_three_steady_seconds() -> None:
    moments = flown(from_fault(lambda gnss, s: [no_fix(gnss) if s < 5.0 else gnss]))
    back_s = first_s(moments, GnssState.GOOD, after_s=FAULT_S + 5.0)
    assert 2.9 <= back_s <= 3.5


def jammed(gnss: Gnss, since_s: float) -> list[Event]:
    """As measured: 2 s of nothing, then fixes far away for moments, good to 268 m."""
    if since_s > 30.0:
        return [gnss]
    if since_s < 2.0 or since_s % 3.0 > 0.7:
        return [no_fix(gnss)]
    return [replace(gnss, fix_type=6, sigma_m=30.0 + 20.0 * (since_s % 9.0), lat_deg=47.02)]


def test_jamming_is_told_from_loss_and_re_acquisitions_are_not_believed() -> None:
    moments = flown(from_fault(jammed), seconds=150.0)
    assert first_s(moments, GnssState.LOST, GnssState.JAMMED) <= 0.3
    assert first_s(moments, GnssState.JAMMED) <= 3.5
    assert GnssState.GOOD not in states(moments, FAULT_S, FAULT_S + 39.0)
    assert GnssState.GOOD in states(moments, FAULT_S + 40.0, FAULT_S + 75.0)
    assert_estimate_holds(moments)


def test_jamming_whose_fixes_claim_to_be_good_is_jamming_too() -> None:
    def confident(gnss: Gnss, since_s: float) -> list[Event]:
        (event,) = jammed(gnss, since_s)
        return [replace(event, sigma_m=1.0)]  # type: ignore[type-var]

    moments = flown(from_fault(confident), seconds=150.0)
    assert first_s(moments, GnssState.JAMMED, GnssState.SPOOFED) <= 8.0
    assert GnssState.GOOD not in states(moments, FAULT_S, FAULT_S + 39.0)
    assert_estimate_holds(moments)


@pytest.mark.parametrize("jump_m", [5.0, 20.0, 50.0, 500.0])
def test_a_jump_is_doubted_at_once_and_spoofed_when_the_ground_says_so(jump_m: float) -> None:
    moments = flown(offset=lambda s: (jump_m if s >= FAULT_S else 0.0, 0.0))
    assert first_s(moments, GnssState.DEGRADED) <= 0.3
    if jump_m >= 20.0:
        assert first_s(moments, GnssState.SPOOFED) <= 10.0
        assert states(moments, FAULT_S + 10.0, 100.0) == {GnssState.SPOOFED}
    else:
        assert GnssState.SPOOFED not in states(moments, FAULT_S, 100.0)
    assert_estimate_holds(moments)


def with_velocity(rate_m_s: float) -> Change:
    return from_fault(
        lambda g, _: [replace(g, velocity_east_m_s=(g.velocity_east_m_s or 0.0) + rate_m_s)]
    )


@pytest.mark.parametrize("rate_m_s", [1.0, 2.0])
def test_a_slow_drag_off_is_found_before_thirty_metres(rate_m_s: float) -> None:
    """Position and velocity agree with each other, so only the ground can tell."""
    moments = flown(
        with_velocity(rate_m_s), 160.0, lambda s: (rate_m_s * max(0.0, s - FAULT_S), 0.0)
    )
    assert rate_m_s * first_s(moments, GnssState.SPOOFED) < 30.0
    assert states(moments, FAULT_S + 30.0, 160.0) == {GnssState.SPOOFED}
    assert_estimate_holds(moments)


def test_a_position_that_leaves_its_velocity_is_doubted_even_without_any_fix() -> None:
    moments = flown(
        offset=lambda s: (2.0 * max(0.0, s - FAULT_S), 0.0), sees=lambda s: s < FAULT_S - 10.0
    )
    assert first_s(moments, GnssState.DEGRADED) <= 8.0
    assert GnssState.GOOD not in states(moments, FAULT_S + 9.0, 100.0)


def test_a_spoofer_that_lets_go_has_to_agree_for_half_a_minute() -> None:
    moments = flown(offset=lambda s: (60.0 if FAULT_S <= s < 90.0 else 0.0, 0.0), seconds=180.0)
    assert states(moments, 75.0, 115.0) == {GnssState.SPOOFED}
    assert GnssState.GOOD in states(moments, 120.0, 150.0)


def test_a_spoofed_receiver_is_not_believed_while_no_fix_confirms_it() -> None:
    moments = flown(
        offset=lambda s: (60.0 if FAULT_S <= s < 90.0 else 0.0, 0.0),
        seconds=180.0,
        sees=lambda s: s < 85.0,
    )
    assert states(moments, 75.0, 180.0) == {GnssState.SPOOFED}


def test_a_spoofed_start_is_found_and_does_not_stay() -> None:
    moments = flown(offset=lambda _: (300.0, -100.0), sees=lambda s: s >= 20.0)
    assert states(moments, 2.0, 20.0) == {GnssState.GOOD}  # nothing speaks against it yet
    assert GnssState.SPOOFED in states(moments, 20.0, 35.0)
    assert states(moments, 40.0, 100.0) == {GnssState.SPOOFED}
    assert_estimate_holds(moments)


@pytest.mark.parametrize(
    ("worse", "words"),
    [
        ({"satellites": 4}, "4 satellites of 1"),
        ({"sigma_m": 20.0}, "good to 20 m only, usual are 2 m"),
        ({"sigma_m": 6.0}, "good to 6 m only, usual are 2 m"),
    ],
)
def test_a_weak_receiver_is_degraded(worse: dict[str, float], words: str) -> None:
    moments = flown(from_fault(lambda gnss, _: [replace(gnss, **worse)]), seconds=64.0)
    assert first_s(moments, GnssState.DEGRADED) <= 0.3
    assert any(words in text for text in moments[-1].gnss.evidence)
    assert_estimate_holds(moments)


def ekf(time_s: float, flags: int = 0x33F, variance: float = 0.1) -> EkfStatus:
    return EkfStatus(round(time_s * 1e9), flags, 0.1, variance, 0.1)


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (lambda t: ekf(t, flags=0x833F), GnssState.DEGRADED),
        (lambda t: ekf(t, variance=5.3), GnssState.DEGRADED),
        (lambda t: SensorHealth(round(t * 1e9), True, True, False), GnssState.DEGRADED),
        (lambda t: GnssIntegrity(round(t * 1e9), 0, 2, 1), GnssState.DEGRADED),
        (lambda t: GnssIntegrity(round(t * 1e9), 0, 3, 0), GnssState.JAMMED),
        (lambda t: GnssIntegrity(round(t * 1e9), 0, 0, 3), GnssState.SPOOFED),
        (lambda t: ekf(t, flags=0x73F), GnssState.GOOD),  # 0x400 is PX4's glitch, not ArduPilot's
        (lambda t: SensorHealth(round(t * 1e9), True, True, True), GnssState.GOOD),
        (lambda t: GnssIntegrity(round(t * 1e9), 1, 3, 3), GnssState.GOOD),  # another receiver's
    ],
)
def test_what_the_autopilot_says_counts(told: Callable[[float], Event], state: GnssState) -> None:
    moments = flown(from_fault(lambda gnss, since_s: [gnss, told(FAULT_S + since_s)]), seconds=70.0)
    assert states(moments, FAULT_S + 0.3, 70.0) == {state}


def test_px4_flags_a_glitch_with_another_bit() -> None:
    def told(gnss: Gnss, since_s: float) -> list[Event]:
        time_ns = gnss.time_ns
        px4 = VehicleState(time_ns, "px4", "copter", True, "MISSION")
        return [gnss, px4, ekf(FAULT_S + since_s, flags=0x73F)]

    moments = flown(from_fault(told), seconds=70.0)
    assert first_s(moments, GnssState.DEGRADED) <= 0.3


def test_wrong_fixes_do_not_make_gnss_spoofed() -> None:
    """The map matches 60 m away for 20 s, each fix sure of itself."""

    def wrong(fix: Fix, time_s: float) -> Fix:
        if not FAULT_S <= time_s < FAULT_S + 20.0:
            return fix
        return replace(fix, lat_deg=fix.lat_deg + 60.0 / 111_000.0)

    moments = flown(change_fix=wrong, seconds=120.0)
    assert not {GnssState.SPOOFED, GnssState.JAMMED} & states(moments, 2.0, 120.0)
    assert_estimate_holds(moments, worst_m=25.0)


def test_without_any_fix_gnss_stays_good_and_carries() -> None:
    fusion = Fusion(ORIGIN, math.radians(1.0))
    moments = flown(sees=lambda _: False, fusion=fusion)
    assert states(moments, 2.0, 100.0) == {GnssState.GOOD}
    assert_estimate_holds(moments, worst_m=8.0)
    estimate = fusion.estimate_at(99_800_000_000)
    assert estimate is not None and estimate.carried_by_gnss


def test_an_autopilot_without_a_receiver_leaves_it_unknown() -> None:
    moments = flown(lambda gnss, _: [])
    assert states(moments, 0.0, 100.0) == {GnssState.UNKNOWN}
    assert_estimate_holds(moments)


def second(gnss: Gnss, **changes: object) -> Gnss:
    return replace(gnss, receiver=1, **changes)  # type: ignore[arg-type]


def test_two_receivers_one_lost_is_still_good() -> None:
    moments = flown(from_fault(lambda gnss, _: [gnss, second(no_fix(gnss))]))
    assert states(moments, FAULT_S, 100.0) == {GnssState.GOOD}
    assert any(text.startswith("receiver 2: no fix") for text in moments[-1].gnss.evidence)


def test_two_receivers_one_spoofed_is_degraded_and_the_other_carries_on() -> None:
    moments = flown(
        lambda gnss, s: [gnss, second(gnss, lat_deg=gnss.lat_deg + (s > FAULT_S) * 0.001)]
    )
    assert states(moments, FAULT_S + 10.0, 100.0) == {GnssState.DEGRADED}
    assert_estimate_holds(moments)


def test_what_pilotage_sends_is_no_receiver() -> None:
    """Its echo looks perfect while the real receiver is lost."""
    lost = from_fault(lambda gnss, _: [no_fix(gnss), second(gnss)])
    by_number = flown(lost, fusion=Fusion(ORIGIN, 0.02, own_receiver=1))
    assert states(by_number, FAULT_S + 0.3, 100.0) == {GnssState.LOST}

    def with_parameter(gnss: Gnss, time_s: float) -> list[Event]:
        return [ParameterValue(gnss.time_ns, "GPS2_TYPE", 14.0), *lost(gnss, time_s)]

    by_parameter = flown(with_parameter)
    assert states(by_parameter, FAULT_S + 0.3, 100.0) == {GnssState.LOST}


def test_gnss_off_by_settings_is_watched_but_not_used() -> None:
    fusion = Fusion(ORIGIN, 0.02, use_gnss=False)
    moments = flown(sees=lambda _: False, fusion=fusion)
    assert states(moments, 2.0, 100.0) == {GnssState.GOOD}
    assert all(m.error_m is None for m in moments)


def test_no_false_alarm_in_twenty_minutes_of_good_gnss() -> None:
    """The long study: python -m tools.gnss_study --hours 10."""
    counted = false_alarms(flights=2, seed=11, seconds=600.0)
    assert counted["spoofed"] == counted["jammed"] == 0
    assert counted["degraded_s"] < 12.0
    assert counted["error_p95_m"] < 12.0


def test_same_events_same_assessments() -> None:
    def told() -> list[object]:
        moments = flown(offset=lambda s: (60.0 * (s > 30.0), 0.0), seconds=60.0)
        return [(m.gnss, m.error_m) for m in moments]

    assert told() == told()


def test_the_spoofed_estimate_is_not_dragged() -> None:
    """It errs as in the same flight whose receiver was lost instead: what calibration learned
    from the spoofer was taken back."""
    led_away = flown(with_velocity(1.0), 160.0, lambda s: (max(0.0, s - FAULT_S), 0.0))
    lost = flown(from_fault(lambda gnss, _: [no_fix(gnss)]), seconds=160.0)
    more = [
        (a.error_m or 0.0) - (b.error_m or 0.0)
        for a, b in zip(led_away, lost, strict=True)
        if a.time_s > FAULT_S
    ]
    assert max(more) < 3.0
    assert float(np.median(more)) < 1.0


def test_a_bit_that_stands_for_all_receivers_is_not_held_against_the_others() -> None:
    """SYS_STATUS is unhealthy when our own messages come late."""
    unhealthy = SensorHealth(0, True, True, False)
    evidence = AutopilotEvidence()
    evidence.hear(unhealthy)
    assert [e.state for e in evidence.evidence(0, 1_000_000_000)] == [GnssState.DEGRADED]
    assert evidence.evidence(0, 1_000_000_000, is_one_ours=True) == []
