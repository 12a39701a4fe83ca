"""How the GNSS watch fares in hours of simulated flight: `python -m tools.gnss_study --help`.

No picture is rendered: the vehicle flies legs and turns, its receiver, fixes and motions err as
real ones do, and `onboard.fusion.Fusion` hears them. Printed are false alarms of good GNSS,
and how far a spoofer led the receiver away before it was found.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from onboard.flight_calibration import Sight
from onboard.fusion import Fusion
from onboard.geodesy import enu_offset_m, offset_latlon
from onboard.messages import Event, Fix, Floats, GnssAssessment, Motion
from onboard.pack.map_error import MAP_SIGMA_M
from onboard.protection import PROTECTION_SIGMAS
from onboard.reasons import GnssState
from onboard.telemetry_messages import Gnss

ORIGIN = (47.0, 8.5)
SECOND = 1_000_000_000
LEG_S, TURN_RAD_S = (30.0, 120.0), 0.2
MAP_WAVES = 40  # of which the map's error field is made
MATCH_SIGMA_M = 1.0

Offset = Callable[[float], tuple[float, float]]


@dataclass(frozen=True)
class Conditions:
    """Sigmas are per axis. The map errs by map_sigma_m, alike over map_length_m; the receiver
    by gnss_sigma_m, alike for gnss_correlated_s. told_map_sigma_m: what the map
    says of itself. mounting_deg: the camera's true direction,
    forward and right of what is assumed, known to direction_sigma_deg. Fixes come a second
    apart by fix_every_s, of which outliers lie anywhere within outlier_m."""

    speed_m_s: float = 12.0
    agl_m: float = 120.0
    map_sigma_m: float = 4.0
    told_map_sigma_m: float = MAP_SIGMA_M
    map_length_m: float = 1000.0
    gnss_sigma_m: float = 1.5
    gnss_correlated_s: float = 120.0
    mounting_deg: tuple[float, float] = (0.0, 0.0)
    direction_sigma_deg: float = 1.0
    fix_every_s: float = 1.0
    outliers: float = 0.01
    outlier_m: float = 150.0
    gaps: float = 0.002  # a gap of up to 30 s begins with this probability per frame

    @staticmethod
    def drawn(rng: np.random.Generator) -> Conditions:
        """What a flight may meet: map errors of 3 to 8 m, receivers of 1 to 2 m."""
        return Conditions(
            speed_m_s=float(rng.uniform(5.0, 22.0)),
            agl_m=float(rng.uniform(60.0, 200.0)),
            map_sigma_m=float(rng.uniform(3.0, 8.0)) / math.sqrt(2.0),
            map_length_m=float(rng.uniform(500.0, 2000.0)),
            gnss_sigma_m=float(rng.uniform(1.0, 2.0)),
            gnss_correlated_s=float(rng.uniform(60.0, 300.0)),
            mounting_deg=(float(rng.normal(0.0, 1.0)), float(rng.normal(0.0, 1.0))),
            fix_every_s=float(rng.choice([0.2, 0.5, 1.0, 2.0])),
        )


@dataclass(frozen=True)
class Moment:
    """What held at time_s. errors: of the estimate against the truth, None while lost."""

    time_s: float
    truth: Floats
    gnss: GnssAssessment
    error_m: float | None
    gnss_error_m: float


class SimulatedFlight:
    """One vehicle and what its sensors say."""

    def __init__(self, conditions: Conditions, seed: int) -> None:
        self.conditions = conditions
        self._rng = np.random.default_rng(seed)
        waves = self._rng.normal(0.0, 1.0 / conditions.map_length_m, (2, MAP_WAVES, 2))
        self._waves, self._phases = waves, self._rng.uniform(0.0, 2 * np.pi, (2, MAP_WAVES))
        self._gnss_error = self._rng.normal(0.0, conditions.gnss_sigma_m, 2)
        self.place: Floats = np.zeros(2)
        self.heading = float(self._rng.uniform(-np.pi, np.pi))
        self._turn_to, self._leg_s = self.heading, 60.0

    @property
    def velocity(self) -> Floats:
        return self.conditions.speed_m_s * np.array(
            [math.sin(self.heading), math.cos(self.heading)]
        )

    def step(self, dt: float) -> None:
        c = self.conditions
        self._leg_s -= dt
        if self._leg_s <= 0.0:
            self._leg_s = float(self._rng.uniform(*LEG_S))
            self._turn_to = self.heading + float(self._rng.choice([-np.pi, -1.6, 1.6, np.pi]))
        left = self._turn_to - self.heading
        self.heading += max(-TURN_RAD_S * dt, min(TURN_RAD_S * dt, left))
        self.place = self.place + self.velocity * dt
        fade = math.exp(-dt / c.gnss_correlated_s)
        fresh = self._rng.normal(0.0, c.gnss_sigma_m * math.sqrt(1.0 - fade**2), 2)
        self._gnss_error = fade * self._gnss_error + fresh

    def gnss(self, time_s: float, offset: tuple[float, float] = (0.0, 0.0)) -> Gnss:
        place = self.place + self._gnss_error + self._rng.normal(0.0, 0.1, 2) + offset
        north, east = (self.velocity + self._rng.normal(0.0, 0.1, 2))[::-1]
        return Gnss(
            round(time_s * SECOND),
            *offset_latlon(*ORIGIN, *map(float, place)),
            sigma_m=1.5,
            satellites=int(self._rng.integers(11, 15)),
            velocity_north_m_s=float(north),
            velocity_east_m_s=float(east),
        )

    def fix(self, time_s: float) -> tuple[Fix, Sight]:
        c, rng = self.conditions, self._rng
        forward, right = np.tan(np.radians(c.mounting_deg)) * c.agl_m
        sine, cosine = math.sin(self.heading), math.cos(self.heading)
        error = np.array([sine * forward + cosine * right, cosine * forward - sine * right])
        error = error + self._map_error() + rng.normal(0.0, MATCH_SIGMA_M, 2)
        error = error + rng.normal(0.0, math.radians(0.4) * c.agl_m, 2)
        if rng.random() < c.outliers:
            error = rng.uniform(-c.outlier_m, c.outlier_m, 2)
        lat_deg, lon_deg = offset_latlon(*ORIGIN, *map(float, self.place + error))
        direction_m = math.radians(c.direction_sigma_deg) * c.agl_m
        sigma_m = math.sqrt(MATCH_SIGMA_M**2 + c.told_map_sigma_m**2 + direction_m**2)
        covariance = np.eye(2) * sigma_m**2
        fix = Fix(
            round(time_s * SECOND),
            lat_deg,
            lon_deg,
            lat_deg,
            lon_deg,
            covariance,
            PROTECTION_SIGMAS * sigma_m,
            "simulated",
            30,
        )
        rotation, scale = rng.normal(0.0, 0.02), 1.0 + rng.normal(0.0, 0.01)
        return fix, Sight(self.heading, c.agl_m, float(rotation), float(scale))

    def motion(self, from_s: float, to_s: float, moved: Floats) -> Motion:
        noise_m = 0.01 * self.conditions.agl_m
        seen = moved * 1.02 + self._rng.normal(0.0, noise_m, 2)
        times = round(from_s * SECOND), round(to_s * SECOND)
        return Motion(*times, float(seen[0]), float(seen[1]), np.eye(2) * noise_m**2, 0.04)

    def frame_fails(self) -> bool:
        return bool(self._rng.random() < 0.1)

    def gap_s(self) -> float:
        begins = self._rng.random() < self.conditions.gaps
        return float(self._rng.uniform(5.0, 30.0)) if begins else 0.0

    def _map_error(self) -> Floats:
        waves = np.cos(self._waves @ self.place + self._phases)
        error: Floats = self.conditions.map_sigma_m * math.sqrt(2.0 / MAP_WAVES) * waves.sum(axis=1)
        return error


def fly(
    conditions: Conditions,
    seconds: float,
    seed: int,
    offset: Offset = lambda _: (0.0, 0.0),
    change: Callable[[Gnss, float], list[Event]] = lambda gnss, _: [gnss],
    sees: Callable[[float], bool] = lambda _: True,
    change_fix: Callable[[Fix, float], Fix] = lambda fix, _: fix,
    fusion: Fusion | None = None,
) -> Iterator[Moment]:
    """A moment every 0.2 s. offset: where GNSS is led to (east, north m) at a time; change: what
    comes of a GNSS report; sees: whether the camera sees the ground; change_fix: likewise."""
    flight = SimulatedFlight(conditions, seed)
    fusion = fusion or Fusion(
        ORIGIN,
        math.radians(conditions.direction_sigma_deg),
        map_sigma_m=conditions.told_map_sigma_m,
    )
    frame_place, frame_s, next_frame_s, blind_until_s = flight.place, None, 0.0, 0.0
    for i in range(round(seconds * 5)):
        time_s = i / 5
        flight.step(0.2)
        report = flight.gnss(time_s, offset(time_s))
        for event in change(report, time_s):
            fusion.take(event)
        if time_s >= next_frame_s - 1e-6:
            next_frame_s += conditions.fix_every_s
            moved = flight.place - frame_place
            seen = sees(time_s) and time_s >= blind_until_s
            motion = None
            if seen and frame_s is not None and not flight.frame_fails():
                motion = flight.motion(frame_s, time_s, moved)
            fusion.add_exposure(round(time_s * SECOND), motion)
            frame_place, frame_s = flight.place, time_s
            blind_until_s = max(blind_until_s, time_s + flight.gap_s())
            if seen and not flight.frame_fails():
                fix, sight = flight.fix(time_s)
                fusion.add_fix(change_fix(fix, time_s), sight, 3.0)
        yield _moment(time_s, flight, fusion, offset(time_s))


def _moment(
    time_s: float, flight: SimulatedFlight, fusion: Fusion, offset: tuple[float, float]
) -> Moment:
    time_ns = round(time_s * SECOND)
    estimate = fusion.estimate_at(time_ns)
    error_m = None
    if estimate is not None:
        east_m, north_m = enu_offset_m(*ORIGIN, estimate.lat_deg, estimate.lon_deg)
        error_m = float(np.hypot(*(np.array([east_m, north_m]) - flight.place)))
    assessment = fusion.gnss_at(time_ns)
    return Moment(time_s, flight.place, assessment, error_m, float(np.hypot(*offset)))


def false_alarms(flights: int, seed: int, seconds: float = 3600.0) -> dict[str, float]:
    """Flights under drawn conditions with good GNSS: how often and for how long it
    was called what."""
    counts = {"hours": 0.0, "spoofed": 0.0, "jammed": 0.0, "degraded": 0.0, "degraded_s": 0.0}
    errors = []
    for number in range(flights):
        rng = np.random.default_rng([seed, number])
        before = GnssState.UNKNOWN
        for moment in fly(Conditions.drawn(rng), seconds, int(rng.integers(2**31))):
            state = moment.gnss.state
            if state is not before and state.value in counts:
                counts[state.value] += 1
            counts["degraded_s"] += 0.2 * (state is GnssState.DEGRADED)
            before = state
            if moment.error_m is not None:
                errors.append(moment.error_m)
        counts["hours"] += seconds / 3600.0
    counts["error_median_m"] = float(np.median(errors))
    counts["error_p95_m"] = float(np.percentile(errors, 95))
    return counts


def drag_offs(flights: int, rate_m_s: float, seed: int) -> list[tuple[float, float, float]]:
    """Each flight's GNSS is led away from a drawn moment on, its velocity with it: (metres
    away at the first degraded, at spoofed, the estimate's worst error from then on)."""
    found = []
    for number in range(flights):
        rng = np.random.default_rng([seed, number])
        conditions = replace(Conditions.drawn(rng), gaps=0.0)
        start_s, angle = float(rng.uniform(60.0, 600.0)), float(rng.uniform(0.0, 2 * np.pi))
        way = rate_m_s * np.array([math.sin(angle), math.cos(angle)])

        def offset(
            time_s: float, start_s: float = start_s, way: Floats = way
        ) -> tuple[float, float]:
            since_s = max(0.0, time_s - start_s)
            return float(way[0] * since_s), float(way[1] * since_s)

        def change(
            gnss: Gnss, time_s: float, start_s: float = start_s, way: Floats = way
        ) -> list[Event]:
            if time_s < start_s:
                return [gnss]
            east, north = gnss.velocity_east_m_s or 0.0, gnss.velocity_north_m_s or 0.0
            return [
                replace(
                    gnss,
                    velocity_east_m_s=east + float(way[0]),
                    velocity_north_m_s=north + float(way[1]),
                )
            ]

        degraded_m, spoofed_m, worst_m = math.inf, math.inf, 0.0
        seconds = start_s + 120.0 / rate_m_s
        for m in fly(conditions, seconds, int(rng.integers(2**31)), offset, change):
            if m.time_s < start_s:
                continue
            if m.gnss.state is not GnssState.GOOD:
                degraded_m = min(degraded_m, m.gnss_error_m)
            if m.gnss.state is GnssState.SPOOFED:
                spoofed_m = min(spoofed_m, m.gnss_error_m)
            worst_m = max(worst_m, m.error_m or 0.0)
        found.append((degraded_m, spoofed_m, worst_m))
    return found


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.gnss_study", description=__doc__)
    parser.add_argument("--hours", type=int, default=10, help="of good GNSS")
    parser.add_argument("--flights", type=int, default=20, help="led away, per rate")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    if options.hours > 0:
        for name, value in false_alarms(options.hours, options.seed).items():
            print(f"good GNSS, {name}: {value:.6g}", flush=True)
    for rate_m_s in (0.5, 1.0, 2.0, 5.0):
        if options.flights <= 0:
            break
        found = np.array(drag_offs(options.flights, rate_m_s, options.seed))
        doubted, spoofed, worst = found.T
        print(
            f"led away at {rate_m_s} m/s, {len(found)} flights: spoofed after median "
            f"{np.median(spoofed):.0f} m, at most {spoofed.max():.0f} m (doubted after "
            f"{np.median(doubted):.0f}, {doubted.max():.0f}); estimate's worst error "
            f"median {np.median(worst):.0f} m, at most {worst.max():.0f} m",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
