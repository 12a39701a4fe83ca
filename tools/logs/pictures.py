"""Which moment of a log each picture belongs to: by triggers, by EXIF time, or by a video's clock.

EXIF times are a camera's own: in some time zone, some seconds off. The offset to the log's
clock is found where both tell positions: the one under which the pictures lie on the track.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.errors import InputError
from onboard.geodesy import enu_offset_m
from onboard.messages import Frame
from tools.logs.quiet import quiet
from tools.logs.recorded_log import RecordedLog
from tools.photo_folder import Photo, frame_of
from tools.truth import Track

ZONE_NS = 900_000_000_000  # time zones lie at whole quarters of an hour
MOST_ZONES = 14 * 4 + 1
FINE_NS = 100_000_000  # step of the fine search
FINE_REACH_NS = 120_000_000_000  # cameras' clocks are off by less, beyond their zone
MOST_TRIES = 72_000  # two hours of a log
RIVAL_M, APART_NS = 3.0, 5_000_000_000  # receivers agree to that; beyond, it is another moment
MAX_MISFIT_M = 30.0  # median distance of picture and track, else it is another flight
MIN_WITH_POSITION = 3
MIN_FPS, MAX_FPS = 0.5, 1000.0  # of a video that a drone takes


@dataclass(frozen=True)
class Matched:
    """A picture with its moment on the log's clock."""

    photo: Photo
    time_ns: int


def match_photos(
    photos: Sequence[Photo], log: RecordedLog, ahead_s: float | None = None
) -> tuple[list[Matched], str]:
    """By what their clock is ahead of UTC, where given; by triggers when there are as many as
    pictures; else by EXIF time and positions. Also says how.

    Raises InputError when none fits, or there are several ways.
    """
    if ahead_s is not None:
        return _by_clock(photos, log, ahead_s)
    if log.triggers and len(log.triggers) == len(photos):
        pairs = zip(photos, log.triggers, strict=True)
        matched = [Matched(photo, trigger.time_ns) for photo, trigger in pairs]
        return matched, f"{len(matched)} pictures matched to the log's triggers in their order"
    offset_ns, misfit_m = _offset(photos, log)
    matched = [Matched(p, p.time_ns + offset_ns) for p in photos if p.tags.time_ns is not None]
    said = (
        f"{len(matched)} pictures matched by EXIF time; their clock is {-offset_ns * 1e-9:+.1f} s "
        f"from the log's, positions then agree to {misfit_m:.1f} m (median)"
    )
    if log.triggers:
        said += f"; not by the {len(log.triggers)} triggers, which are not as many"
    return matched, said


def _by_clock(
    photos: Sequence[Photo], log: RecordedLog, ahead_s: float
) -> tuple[list[Matched], str]:
    if log.utc_minus_clock_ns is None:
        raise InputError(f"{log.name}: does not tell UTC; leave out --pictures-ahead")
    offset_ns = -log.utc_minus_clock_ns - round(ahead_s * 1e9)
    matched = [Matched(p, p.time_ns + offset_ns) for p in photos if p.tags.time_ns is not None]
    if not any(log.start_ns <= m.time_ns <= log.end_ns for m in matched):
        raise InputError(
            f"{log.name}: no picture falls into it with a clock {ahead_s:+g} s ahead of UTC; "
            "correct --pictures-ahead"
        )
    return matched, f"{len(matched)} pictures matched by EXIF time, {ahead_s:+g} s ahead of UTC"


def photo_frames(matched: Sequence[Matched]) -> Iterator[Frame]:
    """Decoded when asked for, in order of their times."""
    for m in sorted(matched, key=lambda m: m.time_ns):
        yield frame_of(replace(m.photo, time_ns=m.time_ns))


def video_frames(path: Path, starts_ns: int, frame_hz: float) -> Iterator[Frame]:
    """Frames of a video whose first one is at starts_ns, at most frame_hz a second.

    Raises InputError when it can't be opened; ends early where it is truncated.
    """
    capture, fps = _opened(path)
    step = max(1, round(fps / frame_hz))
    number = 0
    try:
        while capture.grab():
            if number % step == 0:
                read, image = capture.retrieve()
                name = f"{path.name}#{number}"
                time_ns = starts_ns + round(number / fps * 1e9)
                yield Frame(time_ns, np.asarray(image, np.uint8) if read else None, name)
            number += 1
    finally:
        capture.release()


def video_length_s(path: Path) -> float:
    """As its header has it. Raises InputError when it can't be opened."""
    capture, fps = _opened(path)
    frames = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    capture.release()
    return max(0.0, frames) / fps


def _opened(path: Path) -> tuple[cv2.VideoCapture, float]:
    """And its frames a second."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the log's video")
    with quiet():
        capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise InputError(f"{path}: cannot be opened as a video; give one that plays")
    fps = capture.get(cv2.CAP_PROP_FPS)
    if not MIN_FPS <= fps <= MAX_FPS:
        raise InputError(f"{path}: claims {fps:g} frames a second; give a video that plays")
    return capture, float(fps)


def _offset(photos: Sequence[Photo], log: RecordedLog) -> tuple[int, float]:
    """(log time minus EXIF time, median misfit). Raises InputError: none fits, or several do."""
    placed = [p for p in photos if p.tags.time_ns is not None and p.has_position]
    track = log.track
    if len(placed) < MIN_WITH_POSITION or len(track.time_ns) < MIN_WITH_POSITION:
        raise InputError(
            f"{log.name}: the pictures can't be matched to it: {len(log.triggers)} triggers for "
            f"{len(photos)} pictures, and {len(placed)} pictures with both time and position; "
            "give the pictures of this flight, or --pictures-ahead SECONDS"
        )
    tries_ns = _tries_ns(placed, log)
    misfits_m = _Fit(placed, track).misfits_m(tries_ns)
    best = int(np.argmin(misfits_m)) if len(tries_ns) else 0
    if not len(tries_ns) or misfits_m[best] > MAX_MISFIT_M:
        off = f"best {misfits_m[best]:.0f} m off" if len(tries_ns) else "not in its time either"
        raise InputError(
            f"{log.name}: the pictures' positions lie nowhere on its track ({off}); give the "
            "pictures of this flight"
        )
    offset_ns, misfit_m = int(tries_ns[best]), float(misfits_m[best])
    rivals = (misfits_m < misfit_m + RIVAL_M) & (np.abs(tries_ns - offset_ns) > APART_NS)
    if rivals.any():
        other_s = (int(tries_ns[np.flatnonzero(rivals)[0]]) - offset_ns) * 1e-9
        raise InputError(
            f"{log.name}: the pictures lie on its track as well when taken {other_s:+.0f} s later; "
            "give --pictures-ahead SECONDS, what their clock is ahead of UTC"
        )
    return offset_ns, misfit_m


def _tries_ns(photos: Sequence[Photo], log: RecordedLog) -> NDArray[np.int64]:
    """(K,) offsets worth a try: of every zone, or anywhere in a log that does not tell UTC."""
    first_ns, last_ns = min(p.time_ns for p in photos), max(p.time_ns for p in photos)
    begin_ns, end_ns = int(log.track.time_ns[0]), int(log.track.time_ns[-1])
    if log.utc_minus_clock_ns is None:
        span_ns = min(end_ns - begin_ns + last_ns - first_ns, MOST_TRIES * FINE_NS)
        return begin_ns - last_ns + np.arange(0, span_ns + 1, FINE_NS, dtype=np.int64)
    fine = np.arange(-FINE_REACH_NS, FINE_REACH_NS + 1, FINE_NS, dtype=np.int64)
    zones = range(-MOST_ZONES, MOST_ZONES + 1)
    coarse = [zone * ZONE_NS - log.utc_minus_clock_ns for zone in zones]
    return np.concatenate(
        [
            base + fine
            for base in coarse
            if last_ns + base >= begin_ns - FINE_REACH_NS
            and first_ns + base <= end_ns + FINE_REACH_NS
        ]
        or [np.array([], np.int64)]
    )


class _Fit:
    """Pictures and track in metres east and north of the track's beginning."""

    def __init__(self, photos: Sequence[Photo], track: Track) -> None:
        home = float(track.lat_deg[0]), float(track.lon_deg[0])
        self._begin_ns = int(track.time_ns[0])
        self._track_s = (track.time_ns - self._begin_ns) * 1e-9
        self._track_m = enu_offset_m(*home, track.lat_deg, track.lon_deg)
        self._photo_s = np.array([(p.time_ns - self._begin_ns) * 1e-9 for p in photos])
        tags = np.array([(p.tags.lat_deg, p.tags.lon_deg) for p in photos], np.float64)
        self._photo_m = enu_offset_m(*home, tags[:, 0], tags[:, 1])

    def misfits_m(self, offsets_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K,) median distances; pictures outside the track count as far away."""
        return np.array([self._misfit_m(offset * 1e-9) for offset in offsets_ns.tolist()])

    def _misfit_m(self, offset_s: float) -> float:
        at_s = self._photo_s + offset_s
        east, north = (np.interp(at_s, self._track_s, metres) for metres in self._track_m)
        distances = np.hypot(east - self._photo_m[0], north - self._photo_m[1])
        distances[(at_s < 0.0) | (at_s > self._track_s[-1])] = np.inf
        return float(np.median(distances))
