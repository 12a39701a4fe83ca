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
MAX_MISFIT_M = 30.0  # median distance of picture and track, else it is another flight
MIN_WITH_POSITION = 3
MIN_FPS, MAX_FPS = 0.5, 1000.0  # of a video that a drone takes


@dataclass(frozen=True)
class Matched:
    """A picture with its moment on the log's clock."""

    photo: Photo
    time_ns: int


def match_photos(photos: Sequence[Photo], log: RecordedLog) -> tuple[list[Matched], str]:
    """By triggers when there are as many as pictures, else by EXIF time. Also says how.

    Raises InputError when neither fits.
    """
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
    """(log time minus EXIF time, median misfit)."""
    placed = [p for p in photos if p.tags.time_ns is not None and p.has_position]
    track = log.track
    if len(placed) < MIN_WITH_POSITION or len(track.time_ns) < MIN_WITH_POSITION:
        raise InputError(
            f"{log.name}: the pictures can't be matched to it: {len(log.triggers)} triggers for "
            f"{len(photos)} pictures, and {len(placed)} pictures with both time and position; "
            "give the pictures of this flight"
        )
    start_ns = 0 if log.utc_minus_clock_ns is None else -log.utc_minus_clock_ns
    first_ns = min(p.time_ns for p in placed) + start_ns
    zones = range(-MOST_ZONES, MOST_ZONES + 1)
    if log.utc_minus_clock_ns is None:  # any time: lay the first picture on the log's start
        start_ns += int(track.time_ns[0]) - first_ns
        zones = range(0, 1)
    fine = np.arange(-FINE_REACH_NS, FINE_REACH_NS + 1, FINE_NS)
    coarse = [start_ns + zone * ZONE_NS for zone in zones]
    best = min(
        (
            (_misfit_m(placed, track, base + int(step)), base + int(step))
            for base in coarse
            if _overlaps(placed, track, base)
            for step in fine
        ),
        default=(float("inf"), 0),
    )
    if best[0] > MAX_MISFIT_M:
        raise InputError(
            f"{log.name}: the pictures' positions lie nowhere on its track "
            f"(best {best[0]:.0f} m off); give the pictures of this flight"
        )
    return best[1], best[0]


def _overlaps(photos: Sequence[Photo], track: Track, offset_ns: int) -> bool:
    """Whether any picture can fall into the track with this offset, give or take the reach."""
    begin, end = int(track.time_ns[0]), int(track.time_ns[-1])
    times = [p.time_ns + offset_ns for p in photos]
    return max(times) >= begin - FINE_REACH_NS and min(times) <= end + FINE_REACH_NS


def _misfit_m(photos: Sequence[Photo], track: Track, offset_ns: int) -> float:
    """Median distance; those outside the track count as far away."""
    distances = []
    for photo in photos:
        at = track.at(photo.time_ns + offset_ns)
        if at is None:
            distances.append(np.inf)
            continue
        east, north = enu_offset_m(*at, photo.tags.lat_deg or 0.0, photo.tags.lon_deg or 0.0)
        distances.append(float(np.hypot(east, north)))
    return float(np.median(distances))
