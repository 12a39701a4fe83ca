"""The attitude and the height at the moment of an exposure, from what was received around it."""

from __future__ import annotations

import bisect
import math
from collections import defaultdict
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

import numpy as np

from onboard.autopilot.heights import MEASURED
from onboard.camera import rotation_matrix
from onboard.height_jumps import HeightJumps
from onboard.messages import Floats
from onboard.telemetry_messages import Attitude, Height

KEPT_NS = 30_000_000_000  # older samples are forgotten
# Between two samples at most this far apart one interpolates; a multirotor turns 100 deg/s.
MAX_ATTITUDE_GAP_NS = 500_000_000
# Beyond the newest (or before the oldest) sample the nearest one holds this long.
MAX_ATTITUDE_HOLD_NS = 50_000_000
MAX_HEIGHT_GAP_NS = 5_000_000_000
MAX_HEIGHT_HOLD_NS = 1_000_000_000
ANY_SOURCE, ABOVE_SEA = "any source", "above sea level"  # whose jumps; else a source's own


class _Timed(Protocol):
    @property
    def time_ns(self) -> int: ...


Sample = TypeVar("Sample", bound=_Timed)


class _Track(Generic[Sample]):
    """Samples in time order; a second one of the same time replaces the first."""

    def __init__(self, max_gap_ns: int, max_hold_ns: int) -> None:
        self._max_gap_ns = max_gap_ns
        self._max_hold_ns = max_hold_ns
        self._times: list[int] = []
        self._samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        i = bisect.bisect_left(self._times, sample.time_ns)
        if i < len(self._times) and self._times[i] == sample.time_ns:
            self._samples[i] = sample
        else:
            self._times.insert(i, sample.time_ns)
            self._samples.insert(i, sample)
        forget = bisect.bisect_left(self._times, self._times[-1] - KEPT_NS)
        del self._times[:forget], self._samples[:forget]

    def around(self, time_ns: int) -> tuple[Sample, Sample, float] | None:
        """The samples before and after, and how far (0..1) time_ns lies between them; the
        same one twice where it is held. None when they are too far away."""
        i = bisect.bisect_left(self._times, time_ns)
        if i < len(self._times) and self._times[i] == time_ns:
            return self._samples[i], self._samples[i], 0.0
        if 0 < i < len(self._times):
            before, after = self._times[i - 1], self._times[i]
            if after - before <= self._max_gap_ns:
                share = (time_ns - before) / (after - before)
                return self._samples[i - 1], self._samples[i], share
        near = [j for j in (i - 1, i) if 0 <= j < len(self._times)]
        if not near:
            return None
        nearest = min(near, key=lambda j: abs(self._times[j] - time_ns))
        if abs(self._times[nearest] - time_ns) > self._max_hold_ns:
            return None
        return self._samples[nearest], self._samples[nearest], 0.0


class Telemetry:
    """Holds the recent past of attitude and height. Samples may arrive in any order; those
    with a value that is no number are left out."""

    def __init__(self, attitude_delay_s: float = 0.0, over_terrain: bool = False) -> None:
        """attitude_delay_s: see `Camera`. over_terrain: the map tells of hills, by which heights
        of different sources differ; else all are above one plane, and where a source that takes
        over says something else, either is wrong (`across_sources_m`, counted in then)."""
        self._delay_ns = round(attitude_delay_s * 1e9)
        self._attitudes: _Track[Attitude] = _Track(MAX_ATTITUDE_GAP_NS, MAX_ATTITUDE_HOLD_NS)
        self._heights: _Track[Height] = _Track(MAX_HEIGHT_GAP_NS, MAX_HEIGHT_HOLD_NS)
        self._over_terrain = over_terrain
        self._jumps: defaultdict[str, HeightJumps] = defaultdict(HeightJumps)

    def add_attitude(self, attitude: Attitude) -> None:
        if all(map(math.isfinite, (attitude.roll, attitude.pitch, attitude.yaw))):
            self._attitudes.add(attitude)

    def add_height(self, height: Height) -> None:
        amsl_m = 0.0 if height.amsl_m is None else height.amsl_m
        if all(map(math.isfinite, (height.agl_m, amsl_m, height.sigma_m))):
            sigma_m = math.hypot(height.sigma_m, self._doubt_m(height))
            self._heights.add(replace(height, sigma_m=sigma_m))

    @property
    def across_sources_m(self) -> float:
        """By how much heights jumped that no match has confirmed since, whoever told them."""
        return self._jumps[ANY_SOURCE].doubt_m

    def trust_heights(self, since_ns: int) -> None:
        """A match of an exposure at since_ns had the right scale: what jumped before was right."""
        for jumps in self._jumps.values():
            jumps.trust(since_ns)

    def _doubt_m(self, height: Height) -> float:
        """Takes it in; by how much it may be wrong after jumps. Where the height above sea level
        jumps, what is measured from the vehicle down is as good as before."""
        for whose in (ANY_SOURCE, height.source):
            self._jumps[whose].add(height.time_ns, height.agl_m)
        if height.amsl_m is not None:
            self._jumps[ABOVE_SEA].add(height.time_ns, height.amsl_m)
        if not self._over_terrain:
            return self.across_sources_m
        own_m = self._jumps[height.source].doubt_m
        if height.source in MEASURED:
            return own_m
        return max(own_m, self._jumps[ABOVE_SEA].doubt_m)

    def attitude_at(self, time_ns: int) -> Attitude | None:
        """Turned along the shortest arc between the samples around time_ns."""
        found = self._attitudes.around(time_ns + self._delay_ns)
        if found is None:
            return None
        before, after, share = found
        if share == 0.0:
            return Attitude(time_ns, before.roll, before.pitch, before.yaw)
        return Attitude(time_ns, *_angles_between(before, after, share))

    def height_at(self, time_ns: int) -> Height | None:
        found = self._heights.around(time_ns)
        if found is None:
            return None
        before, after, share = found
        nearer = before if share <= 0.5 else after
        agl_m, amsl_m = nearer.agl_m, None
        if before.source == after.source:  # else they measure from different ground
            agl_m = before.agl_m + share * (after.agl_m - before.agl_m)
        if before.amsl_m is not None and after.amsl_m is not None:
            amsl_m = before.amsl_m + share * (after.amsl_m - before.amsl_m)
        sigma_m = max(before.sigma_m, after.sigma_m)
        return Height(time_ns, agl_m, amsl_m, sigma_m, nearer.source)


def _angles_between(before: Attitude, after: Attitude, share: float) -> tuple[float, float, float]:
    """(roll, pitch, yaw) a share of the way along the shortest rotation. Angle by angle would
    go astray where a gimbal looks straight down and roll and yaw can swap."""
    start = rotation_matrix(before.roll, before.pitch, before.yaw)
    turn = start.T @ rotation_matrix(after.roll, after.pitch, after.yaw)
    m = start @ _part_of(turn, share)
    pitch = math.asin(max(-1.0, min(1.0, -float(m[2, 0]))))
    if abs(m[2, 0]) > 1.0 - 1e-9:  # straight up or down: only the sum of roll and yaw counts
        return (
            before.roll,
            pitch,
            before.roll * math.copysign(1.0, pitch) + math.atan2(-m[0, 1], m[1, 1]),
        )
    return math.atan2(m[2, 1], m[2, 2]), pitch, math.atan2(m[1, 0], m[0, 0])


def _part_of(turn: Floats, share: float) -> Floats:
    """A share of a rotation, by Rodrigues' formula."""
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    sine2 = float(np.linalg.norm(axis))  # twice the sine of the angle
    angle = math.atan2(sine2, float(np.trace(turn)) - 1.0) * share
    if sine2 < 1e-12:
        return np.eye(3)
    x, y, z = axis / sine2
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    part: Floats = np.eye(3) + math.sin(angle) * k + (1.0 - math.cos(angle)) * (k @ k)
    return part
