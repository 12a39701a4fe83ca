"""What a flight learns about its own errors while GNSS is good, and keeps when it is lost.

Four numbers make a fix and GNSS differ for long: the map's shift east and north, and the
camera's direction forward and right, whose part turns with the heading and grows with the
height. Only what turns and climbs show apart is told apart: a Kalman filter starts from what
is known beforehand (the map's and the mounting's sigma) and shrinks what it sees. Errors that
last count once in CORRELATED_S, so that a receiver led away slowly teaches little, and what
it taught is taken back (`roll_back`). Yaw and height need no GNSS: each match tells how far
the view was turned and scaled.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from onboard.geodesy import offset_latlon
from onboard.messages import Fix, Floats
from onboard.pack.map_error import MAP_SIGMA_M
from onboard.position_filter import GATE_D2, sigma
from onboard.protection import PROTECTION_SIGMAS
from onboard.telemetry_messages import Attitude, Height

CORRELATED_S = 20.0  # GNSS errs alike for about this long
MAP_HOLDS_S = 600.0  # the map's shift is another one kilometres on
DIRECTION_DRIFT_RAD = math.radians(0.02)  # per root second; a mount settles, a compass wanders
ATTITUDE_SIGMA_RAD = math.radians(0.4)  # differs from fix to fix and is never learned
FIX_SIGMA_M = 1.0  # the map's shift differs from place to place
MAX_MAP_SHIFT_M, MAX_MAP_SHIFT_SIGMAS = 15.0, 3.0  # the larger; of tiles 8 m RMS off, and of others
MAX_DIRECTION_SIGMAS = 3.0  # of the mounting's
YAW_SIGMA_RAD, YAW_NOISE_RAD = math.radians(4.0), math.radians(2.0)
YAW_DRIFT_RAD = math.radians(0.1)  # per root second
MAX_YAW_RAD = math.radians(15.0)
HEIGHT_NOISE_SHARE = 0.02  # of a match's scale
HEIGHT_DRIFT_M = 0.5  # per root second: ground that rises by 5 % at 10 m/s
MAX_HEIGHT_SHARE = 0.25
HEIGHT_HOLDS_S = 100.0  # by HEIGHT_DRIFT_M the ground has changed by a height's usual 5 m
MATCH_CORRELATED_S = 3.0  # one match errs like the next for this long
SNAPSHOT_NS, SNAPSHOTS = 10_000_000_000, 18  # three minutes to take back


@dataclass(frozen=True)
class Corrections:
    """To be added to the yaw and to the height above ground that the autopilot tells. The
    height's was learned of one source, by matches until matched_ns, when told_sigma_m was said
    of it: see `for_height`."""

    yaw: float = 0.0
    agl_m: float = 0.0
    agl_sigma_m: float = math.inf
    source: str = ""
    told_sigma_m: float = 0.0
    matched_ns: int = 0

    def for_height(self, told: Height | None) -> Corrections:
        """What is left of it for this height: nothing of another source's, ever less without a
        match, and no more certain than the height itself has become since."""
        if told is None:
            return self
        if told.source != self.source:
            return Corrections(self.yaw, source=told.source)
        fade = math.exp(-max(0.0, (told.time_ns - self.matched_ns) * 1e-9) / HEIGHT_HOLDS_S)
        variance_m2 = fade**2 * self.agl_sigma_m**2 + (1.0 - fade**2) * told.sigma_m**2
        variance_m2 += max(0.0, told.sigma_m**2 - self.told_sigma_m**2)
        return replace(self, agl_m=fade * self.agl_m, agl_sigma_m=math.sqrt(variance_m2))

    def attitude(self, told: Attitude | None) -> Attitude | None:
        return replace(told, yaw=told.yaw + self.yaw) if told else None

    def height(self, told: Height | None) -> Height | None:
        if told is None or self.agl_m == 0.0:
            return told
        agl_m = told.agl_m + self.agl_m
        return replace(told, agl_m=agl_m, sigma_m=min(told.sigma_m, self.agl_sigma_m))


@dataclass(frozen=True)
class Sight:
    """How a fix was seen: heading and height used, and what the match found left over (scale,
    rotation, see `messages.Match`), with the corrections that were in them already."""

    yaw: float
    agl_m: float
    rotation: float = 0.0
    scale: float = 1.0
    corrections: Corrections = Corrections()


@dataclass(frozen=True)
class _Learned:
    """mean (4,): map shift east, north (m), direction forward, right (rad); covariance (4,4)."""

    time_ns: int
    mean: Floats
    covariance: Floats


class FlightCalibration:
    """One flight's, from the mounting's and the map's sigma on."""

    def __init__(self, direction_sigma_rad: float, map_sigma_m: float = MAP_SIGMA_M) -> None:
        self._direction_sigma, self._map_sigma_m = direction_sigma_rad, map_sigma_m
        beforehand = [map_sigma_m, map_sigma_m, direction_sigma_rad, direction_sigma_rad]
        self._prior: Floats = np.diag(np.square(beforehand))
        self._learned: _Learned | None = None
        self._snapshots: deque[_Learned] = deque(maxlen=SNAPSHOTS)
        self._yaw, self._yaw_m2 = 0.0, YAW_SIGMA_RAD**2
        self._agl_m, self._agl_m2 = 0.0, math.inf
        self._agl_source, self._agl_told_m = "", 0.0
        self._matched_ns: int | None = None

    @property
    def mean(self) -> Floats:
        """(4,) map shift east, north (m), direction forward, right (rad)."""
        return self._learned.mean if self._learned else np.zeros(4)

    @property
    def covariance(self) -> Floats:
        return self._learned.covariance if self._learned else self._prior

    @property
    def corrections(self) -> Corrections:
        if self._matched_ns is None:
            return Corrections()
        return Corrections(
            self._yaw,
            self._agl_m,
            math.sqrt(self._agl_m2),
            self._agl_source,
            self._agl_told_m,
            self._matched_ns,
        )

    def add_match(self, time_ns: int, sight: Sight, agl_sigma_m: float) -> None:
        """An accepted fix's match. agl_sigma_m: the height's own, before any correction."""
        if self._matched_ns is None:
            self._agl_m2, dt = agl_sigma_m**2, MATCH_CORRELATED_S
        else:
            dt = max(0.0, (time_ns - self._matched_ns) * 1e-9)
        if dt <= 0.0:
            return
        self._matched_ns = time_ns
        if sight.corrections.source != self._agl_source:
            self._agl_m, self._agl_m2 = 0.0, agl_sigma_m**2
        self._agl_source, self._agl_told_m = sight.corrections.source, agl_sigma_m
        often = max(1.0, MATCH_CORRELATED_S / dt)
        used = sight.corrections
        self._yaw_m2 = min(YAW_SIGMA_RAD**2, self._yaw_m2 + YAW_DRIFT_RAD**2 * dt)
        yaw, self._yaw_m2 = _blend(
            self._yaw, self._yaw_m2, used.yaw + sight.rotation, often * YAW_NOISE_RAD**2
        )
        self._yaw = max(-MAX_YAW_RAD, min(MAX_YAW_RAD, yaw))
        self._agl_m2 = min(agl_sigma_m**2, self._agl_m2 + HEIGHT_DRIFT_M**2 * dt)
        seen_m = used.agl_m + (sight.scale - 1.0) * sight.agl_m
        noise_m2 = often * (HEIGHT_NOISE_SHARE * sight.agl_m) ** 2
        agl_m, self._agl_m2 = _blend(self._agl_m, self._agl_m2, seen_m, noise_m2)
        limit_m = MAX_HEIGHT_SHARE * sight.agl_m
        self._agl_m = max(-limit_m, min(limit_m, agl_m))

    def add_difference(
        self, fix: Fix, sight: Sight, fix_minus_gnss: Floats, gnss_sigma_m: float
    ) -> bool:
        """A fix as the match made it, against a GNSS that is good. False where they are too
        far apart for any calibration: then one of them is wrong."""
        learned = self._at(fix.time_ns)
        dt = (fix.time_ns - self._learned.time_ns) * 1e-9 if self._learned else CORRELATED_S
        if dt <= 0.0:
            return True
        h = self._geometry(sight)
        noise = self._noise(fix, sight) + gnss_sigma_m**2 * np.eye(2)
        innovation = fix_minus_gnss - h @ learned.mean
        s = h @ learned.covariance @ h.T + noise
        if not float(innovation @ np.linalg.solve(s, innovation)) <= GATE_D2:
            return False
        noise = noise * max(1.0, CORRELATED_S / dt)
        s = h @ learned.covariance @ h.T + noise
        gain = np.linalg.solve(s, h @ learned.covariance).T
        keep = np.eye(4) - gain @ h
        covariance = keep @ learned.covariance @ keep.T + gain @ noise @ gain.T
        mean = self._bounded(learned.mean + gain @ innovation)
        self._learned = _Learned(fix.time_ns, mean, covariance)
        if not self._snapshots or fix.time_ns - self._snapshots[-1].time_ns >= SNAPSHOT_NS:
            self._snapshots.append(self._learned)
        return True

    def apply(self, fix: Fix, sight: Sight) -> Fix:
        """The fix without what is known of its error. The covariance loses what was learned,
        and so does the bound."""
        if self._learned is None:
            return fix
        learned, h = self._at(fix.time_ns), self._geometry(sight)
        error = h @ learned.mean
        lat_deg, lon_deg = offset_latlon(fix.lat_deg, fix.lon_deg, *map(float, -error))
        covariance = self._noise(fix, sight) + h @ learned.covariance @ h.T
        before_m, after_m = sigma(fix.covariance), sigma(covariance)
        protection_m = fix.protection_m - PROTECTION_SIGMAS * (before_m - after_m)
        protection_m = max(protection_m, PROTECTION_SIGMAS * after_m)
        return replace(
            fix,
            lat_deg=lat_deg,
            lon_deg=lon_deg,
            covariance=covariance,
            protection_m=protection_m,
        )

    def noise_m2(self, fix: Fix, sight: Sight) -> tuple[float, float]:
        """Variances per axis of a calibrated fix: what differs from fix to fix, what stays."""
        h = self._geometry(sight)
        stays = h @ self._at(fix.time_ns).covariance @ h.T
        return float(np.trace(self._noise(fix, sight))) / 2, float(np.trace(stays)) / 2

    def map_m2(self, time_ns: int, sight: Sight) -> float:
        """Variance per axis of what is not known of the map's shift; less where that and the
        camera's direction, which alone are not known, are known together."""
        h, covariance = self._geometry(sight), self._at(time_ns).covariance
        together = float(np.trace(h @ covariance @ h.T)) / 2
        return min(together, float(np.trace(covariance[:2, :2])) / 2)

    def roll_back(self, time_ns: int) -> None:
        """Forgets what was learned from time_ns on: GNSS was wrong."""
        if self._learned is None or self._learned.time_ns < time_ns:
            return
        while self._snapshots and self._snapshots[-1].time_ns >= time_ns:
            self._snapshots.pop()
        self._learned = self._snapshots[-1] if self._snapshots else None

    def _at(self, time_ns: int) -> _Learned:
        """The map's shift is forgotten towards none, the direction loses certainty."""
        if self._learned is None:
            return _Learned(time_ns, np.zeros(4), self._prior)
        dt = max(0.0, (time_ns - self._learned.time_ns) * 1e-9)
        fade = math.exp(-dt / MAP_HOLDS_S)
        f = np.diag([fade, fade, 1.0, 1.0])
        covariance = f @ self._learned.covariance @ f
        covariance[:2, :2] += np.eye(2) * (1.0 - fade**2) * self._map_sigma_m**2
        for i in (2, 3):
            room = max(0.0, self._direction_sigma**2 - float(covariance[i, i]))
            covariance[i, i] += min(room, DIRECTION_DRIFT_RAD**2 * dt)
        return _Learned(time_ns, f @ self._learned.mean, covariance)

    def _geometry(self, sight: Sight) -> Floats:
        """(2,4) from what is learned to a fix's error, east-north: looking forward puts the
        fix ahead."""
        sine, cosine = math.sin(sight.yaw), math.cos(sight.yaw)
        forward_right = np.array([[sine, cosine], [cosine, -sine]])
        return np.hstack([np.eye(2), sight.agl_m * forward_right])

    def _noise(self, fix: Fix, sight: Sight) -> Floats:
        """2x2: what is left of a fix's covariance without all that can be learned."""
        h = self._geometry(sight)
        match = fix.covariance - h @ self._prior @ h.T
        values, vectors = np.linalg.eigh(match)
        match = vectors @ np.diag(np.maximum(values, 0.0)) @ vectors.T
        floor_m2 = FIX_SIGMA_M**2 + (ATTITUDE_SIGMA_RAD * sight.agl_m) ** 2
        noise: Floats = match + floor_m2 * np.eye(2)
        return noise

    def _bounded(self, mean: Floats) -> Floats:
        shift_m = max(MAX_MAP_SHIFT_M, MAX_MAP_SHIFT_SIGMAS * self._map_sigma_m)
        limit = MAX_DIRECTION_SIGMAS * self._direction_sigma
        limits = np.array([shift_m, shift_m, limit, limit])
        bounded: Floats = np.clip(mean, -limits, limits)
        return bounded


def _blend(mean: float, m2: float, measured: float, noise_m2: float) -> tuple[float, float]:
    gain = m2 / (m2 + noise_m2)
    return mean + gain * (measured - mean), (1.0 - gain) * m2
