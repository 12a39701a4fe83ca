"""What a simulated flight came to, in figures, and whether that is what was expected of it."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from onboard.geodesy import enu_offset_m
from onboard.outputs.moment import is_trusted
from onboard.reasons import GnssState, Mode
from tools.scores import CHI2_95
from tools.sim.closed_loop import Flown, Moment
from tools.sim.scenario import Expected, FaultKind, Scenario

NS = 1e-9
FAILSAFE_WORDS = ("failsafe", "stopped aiding")
EMERGENCY_MODES = ("LAND", "RTL", "QLAND")


@dataclass(frozen=True)
class Figures:
    """Errors in metres. error: of the autopilot's belief, from the first fault on. estimate:
    of the companion's trusted positions. misleading: trusted ones beyond their protection
    level. alarm_m: how far GNSS was astray when SPOOFED was said."""

    seconds: float
    median_error_m: float | None
    p95_error_m: float | None
    max_error_m: float | None
    believed_share: float
    median_estimate_m: float | None
    p95_estimate_m: float | None
    max_estimate_m: float | None
    trusted: int
    misleading: int
    inside_95: float | None
    frames: int
    accepted: int
    refusals: dict[str, int]
    gnss_states: tuple[str, ...]
    modes: tuple[str, ...]
    failsafes: tuple[str, ...]
    alarm_m: float | None
    wall_s: float


def figures_of(scenario: Scenario, flown: Flown) -> Figures:
    """From the first fault on; estimates and frames from the start."""
    start_ns = flown.start_ns
    counted = [m for m in flown.moments if (m.time_ns - start_ns) * NS >= scenario.first_fault_s]
    errors = [e for m in counted if (e := _belief_error_m(m)) is not None]
    estimates = [e for m in flown.moments if (e := _estimate_error_m(m)) is not None]
    inside = [i for m in flown.moments if (i := _inside_95(m)) is not None]
    misleading = sum(
        1
        for m in flown.moments
        if (e := _estimate_error_m(m)) is not None
        and m.estimate is not None
        and m.estimate.protection_m is not None
        and e > m.estimate.protection_m
    )
    refused = [f.result.refusal for f in flown.frames if f.result.refusal is not None]
    return Figures(
        seconds=(flown.moments[-1].time_ns - start_ns) * NS if flown.moments else 0.0,
        median_error_m=_percentile(errors, 50),
        p95_error_m=_percentile(errors, 95),
        max_error_m=_percentile(errors, 100),
        believed_share=len(errors) / len(counted) if counted else 0.0,
        median_estimate_m=_percentile(estimates, 50),
        p95_estimate_m=_percentile(estimates, 95),
        max_estimate_m=_percentile(estimates, 100),
        trusted=len(estimates),
        misleading=misleading,
        inside_95=sum(inside) / len(inside) if inside else None,
        frames=len(flown.frames),
        accepted=len(flown.frames) - len(refused),
        refusals=dict(Counter(r.reason.value for r in refused).most_common()),
        gnss_states=_in_order(m.gnss.state.value for m in flown.moments),
        modes=_in_order(_mode(m).value for m in flown.moments),
        failsafes=_failsafes(flown),
        alarm_m=_alarm_m(scenario, flown),
        wall_s=flown.wall_s,
    )


def failures(scenario: Scenario, flown: Flown, figures: Figures) -> list[str]:
    """A sentence for everything that was expected and did not come; [] when all held."""
    expect = scenario.expect
    found = [*_too_large(expect, figures), *_missing(expect, figures)]
    if expect.no_failsafe and figures.failsafes:
        found.append(f"failsafe: {'; '.join(figures.failsafes)}")
    if flown.moments:
        last = flown.moments[-1]
        if expect.mode_at_end not in (None, _mode(last)):
            found.append(f"mode at the end is {_mode(last).value}")
        if expect.gnss_state_at_end not in (None, last.gnss.state):
            found.append(f"GNSS at the end is {last.gnss.state.value}")
    else:
        found.append("nothing was flown")
    if expect.alarm_before_m is not None:
        if figures.alarm_m is None:
            found.append("the drift of GNSS was not noticed")
        elif figures.alarm_m > expect.alarm_before_m:
            found.append(
                f"the alarm came at {figures.alarm_m:.0f} m, allowed {expect.alarm_before_m:.0f}"
            )
    return found


def _too_large(expect: Expected, figures: Figures) -> list[str]:
    found = []
    for what, value, limit in (
        ("median error", figures.median_error_m, expect.median_error_m),
        ("P95 error", figures.p95_error_m, expect.p95_error_m),
        ("largest error", figures.max_error_m, expect.max_error_m),
        ("largest error of a trusted position", figures.max_estimate_m, expect.wrong_estimate_m),
    ):
        if limit is None:
            continue
        if value is None and what != "largest error of a trusted position":
            found.append(f"{what}: the autopilot had no position")
        elif value is not None and not value <= limit:
            found.append(f"{what} is {value:.1f} m, allowed {limit:g} m")
    return found


def _missing(expect: Expected, figures: Figures) -> list[str]:
    wanted = [
        ("GNSS state", (s.value for s in expect.gnss_states), figures.gnss_states),
        ("mode", (m.value for m in expect.modes), figures.modes),
        ("refusal", (r.value for r in expect.refusals), tuple(figures.refusals)),
    ]
    return [
        f"{kind} {name} never came" for kind, names, seen in wanted for name in names
        if name not in seen
    ]  # fmt: skip


def _belief_error_m(m: Moment) -> float | None:
    if m.believed is None:
        return None
    return math.hypot(*_off(m, *m.believed))


def _estimate_error_m(m: Moment) -> float | None:
    if m.estimate is None or not is_trusted(m.estimate):
        return None
    return math.hypot(*_off(m, m.estimate.lat_deg, m.estimate.lon_deg))


def _inside_95(m: Moment) -> bool | None:
    if m.estimate is None or not is_trusted(m.estimate):
        return None
    off = np.array(_off(m, m.estimate.lat_deg, m.estimate.lon_deg))
    return bool(off @ np.linalg.solve(m.estimate.covariance, off) <= CHI2_95)


def _off(m: Moment, lat_deg: float, lon_deg: float) -> tuple[float, float]:
    east_m, north_m = enu_offset_m(m.truth.lat_deg, m.truth.lon_deg, lat_deg, lon_deg)
    return float(east_m), float(north_m)


def _mode(m: Moment) -> Mode:
    return m.estimate.mode if m.estimate is not None else Mode.LOST


def _alarm_m(scenario: Scenario, flown: Flown) -> float | None:
    drift = next((f for f in scenario.faults if f.kind is FaultKind.GNSS_DRIFT), None)
    if drift is None:
        return None
    for m in flown.moments:
        at_s = (m.time_ns - flown.start_ns) * NS
        if at_s >= drift.at_s and m.gnss.state is GnssState.SPOOFED:
            return drift.amount * (at_s - drift.at_s)
    return None


def _failsafes(flown: Flown) -> tuple[str, ...]:
    """Texts of it, and modes that nobody asked for."""
    said = [
        text for ns, text in flown.texts
        if ns >= flown.start_ns and any(word in text.lower() for word in FAILSAFE_WORDS)
    ]  # fmt: skip
    modes = _in_order(m.flight_mode for m in flown.moments)
    return (*said, *(f"mode {mode}" for mode in modes if mode in EMERGENCY_MODES))


def _in_order(values: object) -> tuple[str, ...]:
    """Each once, in the order of its first coming."""
    return tuple(dict.fromkeys(values))  # type: ignore[call-overload]


def _percentile(values: list[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
