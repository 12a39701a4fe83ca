"""Frames for a log without pictures: what a camera at its positions sees of imagery.

The scene is seen from the log's own positions, heights and attitudes; the camera hangs a little
otherwise than its file says, by an error drawn once a flight from the mounting's sigma_deg.
What the log tells wrongly the pictures show too: they can't judge its receiver or barometer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onboard.camera import Camera
from onboard.errors import InputError
from onboard.geodesy import enu_offset_m
from onboard.messages import Frame
from onboard.telemetry_messages import Attitude, Height
from tools.logs.recorded_log import RecordedLog
from tools.sim.scenes import Scene

MAX_GAP_NS = 2_000_000_000  # between two samples, else nobody knows where the drone was
MIN_AGL_M = 10.0  # lower, it takes off or lands


@dataclass(frozen=True)
class Moment:
    """agl_m above the take-off point, amsl_m as the log tells it, None where it doesn't."""

    lat_deg: float
    lon_deg: float
    agl_m: float
    amsl_m: float | None
    attitude: Attitude


def moments(log: RecordedLog, frame_hz: float) -> list[Moment]:
    """Where the log tells position, height and attitude, and the drone flies.

    Raises InputError when there is none.
    """
    track = log.track
    attitudes = [e for e in log.events if isinstance(e, Attitude)]
    heights = [e for e in log.events if isinstance(e, Height) and e.source != "rangefinder"]
    if not len(track.time_ns):
        raise InputError(f"{log.name}: holds no position to be rendered from; give another log")
    if not attitudes:
        raise InputError(f"{log.name}: tells no attitude; add --yaw-from-course to guess one")
    if not heights:
        raise InputError(f"{log.name}: tells no height above home; give another log")
    angles = np.unwrap([(a.roll, a.pitch, a.yaw) for a in attitudes], axis=0)
    turns = _Samples([a.time_ns for a in attitudes], angles)
    above = _Samples(
        [h.time_ns for h in heights],
        np.array([(h.agl_m, np.nan if h.amsl_m is None else h.amsl_m) for h in heights]),
    )
    places = _Samples(list(track.time_ns), np.column_stack([track.lat_deg, track.lon_deg]))
    step_ns = round(1e9 / frame_hz)
    found: list[Moment] = []
    for time_ns in range(int(track.time_ns[0]), int(track.time_ns[-1]) + 1, step_ns):
        place, height, angle = places.at(time_ns), above.at(time_ns), turns.at(time_ns)
        if place is None or height is None or angle is None or height[0] < MIN_AGL_M:
            continue
        amsl_m = float(height[1]) if np.isfinite(height[1]) else None
        attitude = Attitude(time_ns, *map(float, angle))
        found.append(Moment(float(place[0]), float(place[1]), float(height[0]), amsl_m, attitude))
    if not found:
        raise InputError(
            f"{log.name}: never tells position, attitude and a height above {MIN_AGL_M:g} m at "
            "once; give the log of a flight"
        )
    return found


def home_amsl_m(seen: Sequence[Moment]) -> float:
    """Of the point that heights are counted from, 0 where the log does not tell."""
    homes = [m.amsl_m - m.agl_m for m in seen if m.amsl_m is not None]
    return float(np.median(homes)) if homes else 0.0


def rendered_frames(
    seen: Sequence[Moment], scene: Scene, camera: Camera, home_m: float, seed: int = 1
) -> Iterator[Frame]:
    """Rendered when asked for. home_m: see `home_amsl_m`."""
    errors_deg = np.random.default_rng(seed).normal(0.0, camera.mounting.sigma_deg, 3)
    m = camera.mounting
    roll, pitch, yaw = np.array([m.roll_deg, m.pitch_deg, m.yaw_deg]) + errors_deg
    hung = replace(camera, mounting=replace(m, roll_deg=roll, pitch_deg=pitch, yaw_deg=yaw))
    for i, moment in enumerate(seen):
        attitude = moment.attitude
        amsl_m = home_m + moment.agl_m if moment.amsl_m is None else moment.amsl_m
        place = moment.lat_deg, moment.lon_deg
        picture = scene.picture(*place, amsl_m, attitude, hung, _speed(seen, i))
        yield Frame(attitude.time_ns, picture, f"rendered#{i}")


def _speed(seen: Sequence[Moment], i: int) -> tuple[float, float]:
    """(north, east) in m/s, from the moment before."""
    if i == 0:
        return 0.0, 0.0
    before, now = seen[i - 1], seen[i]
    span_ns = now.attitude.time_ns - before.attitude.time_ns
    if span_ns > MAX_GAP_NS:
        return 0.0, 0.0
    east, north = enu_offset_m(before.lat_deg, before.lon_deg, now.lat_deg, now.lon_deg)
    return float(north) / span_ns * 1e9, float(east) / span_ns * 1e9


class _Samples:
    """(N, K) values at ascending times, linear between two that are near enough."""

    def __init__(self, times_ns: Sequence[int], values: NDArray[np.float64]) -> None:
        self._times_ns, self._values = np.array(times_ns, np.int64), values

    def at(self, time_ns: int) -> NDArray[np.float64] | None:
        after = int(np.searchsorted(self._times_ns, time_ns))
        if after < len(self._times_ns) and self._times_ns[after] == time_ns:
            return np.asarray(self._values[after])
        if after == 0 or after == len(self._times_ns):
            return None
        begin, end = (int(t) for t in self._times_ns[after - 1 : after + 1])
        if end - begin > MAX_GAP_NS:
            return None
        share = (time_ns - begin) / (end - begin)
        return np.asarray((1 - share) * self._values[after - 1] + share * self._values[after])
