"""A log's events and its pictures as one stream in order of time."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from onboard.errors import InputError
from onboard.geodesy import enu_offset_m
from onboard.messages import Event, Frame
from onboard.telemetry import MAX_ATTITUDE_GAP_NS
from onboard.telemetry_messages import Attitude, Gnss
from tools.logs.one_height import one_height
from tools.logs.recorded_log import RecordedLog, in_order

MAX_WAIT_NS = MAX_ATTITUDE_GAP_NS  # the navigator bridges no more
COURSE_SPAN_NS = 1_000_000_000  # the course is taken over this much of the track
MIN_COURSE_SPEED_M_S = 2.0  # slower, a receiver's noise decides the course


def with_frames(
    log: RecordedLog,
    frames: Iterable[Frame],
    gnss_until_ns: int | None = None,
    attitude_delay_ns: int = 0,
) -> Iterator[Event]:
    """A frame comes after the events of its moment, and after the first attitude that follows:
    a picture takes its time in flight, too, and logs tell attitude seldom. gnss_until_ns: from
    here on the receiver says that it has no fix. Of several heights the best is told."""
    attitudes_ns = np.array([e.time_ns for e in log.events if isinstance(e, Attitude)], np.int64)

    def events() -> Iterator[tuple[int, int, Event]]:
        for event in one_height(log.events):
            is_lost = gnss_until_ns is not None and event.time_ns >= gnss_until_ns
            if isinstance(event, Gnss) and is_lost:
                event = Gnss(
                    event.time_ns, 0.0, 0.0, has_fix=False, receiver=event.receiver, fix_type=1
                )
            yield event.time_ns, 0, event

    def due_ns(time_ns: int) -> int:
        after = int(np.searchsorted(attitudes_ns, time_ns + attitude_delay_ns))
        if after == len(attitudes_ns):
            return time_ns
        next_ns = max(time_ns, int(attitudes_ns[after]))
        return next_ns if next_ns - time_ns <= MAX_WAIT_NS else time_ns

    pictures = ((due_ns(frame.time_ns), 1, frame) for frame in frames)
    merged = heapq.merge(events(), pictures, key=lambda item: item[:2])
    return (event for _, _, event in merged)


def with_course_as_yaw(log: RecordedLog) -> RecordedLog:
    """Level attitude with the course over ground for yaw, while it moves: for drones that fly
    where they look, with a stabilised camera.

    Raises InputError when the log tells attitude itself, or never moves.
    """
    if log.has_attitude:
        raise InputError(f"{log.name}: tells its attitude itself; leave out --yaw-from-course")
    fixes = [e for e in log.events if isinstance(e, Gnss) and e.has_fix]
    attitudes: list[Event] = []
    behind = 0
    for fix in fixes:
        while fix.time_ns - fixes[behind].time_ns > COURSE_SPAN_NS:
            behind += 1
        before = fixes[behind]
        span_s = (fix.time_ns - before.time_ns) * 1e-9
        if span_s * 2e9 < COURSE_SPAN_NS:
            continue
        east_m, north_m = enu_offset_m(before.lat_deg, before.lon_deg, fix.lat_deg, fix.lon_deg)
        if math.hypot(east_m, north_m) < MIN_COURSE_SPEED_M_S * span_s:
            continue
        middle_ns = (fix.time_ns + before.time_ns) // 2
        attitudes.append(Attitude(middle_ns, 0.0, 0.0, math.atan2(east_m, north_m)))
    if not attitudes:
        raise InputError(f"{log.name}: never moves faster than {MIN_COURSE_SPEED_M_S:g} m/s")
    note = f"{log.name}: yaw is the course over ground at {len(attitudes)} moments, a guess"
    return replace(log, events=in_order([*log.events, *attitudes]), notes=(*log.notes, note))
