"""A run as the report's script wants it: plain numbers, positions in pixels of the overview."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from onboard.pack.map_pack import MapPack
from tools.overview import Overview, make_overview
from tools.run_record import FrameRecord, RunRecord, Tick
from tools.scores import FrameScore, offset_m, share, spread, stage_latency, total
from tools.truth import Track

MAX_TRACK_POINTS = 3000  # more than a screen shows
OVERVIEW_QUALITY = 80
SIGMA_95 = 2.45  # radius of a circular normal that holds 95 %, in sigmas


def report_data(run: RunRecord, pack: MapPack) -> dict[str, Any]:
    """Everything the page shows; times are seconds since the first frame."""
    overview = make_overview(pack, _positions(run))
    start_ns = min((f.result.time_ns for f in run.frames), default=0)
    return {
        "title": run.title,
        "notes": list(run.notes),
        "pack": {
            "name": pack.path.name,
            "model": pack.manifest.model.id,
            "levels": list(pack.levels),
            "imagery": [f"{i.name}, {i.date}" for i in pack.manifest.imagery],
            "map_error": pack.manifest.map_error_said,
            "terrain": pack.manifest.terrain.name if pack.manifest.terrain else None,
            "credits": list(pack.manifest.credits()),
        },
        "overview": {
            "jpeg": _base64(_encoded(overview)),
            "width": overview.picture.shape[1],
            "height": overview.picture.shape[0],
            "m_per_px": overview.m_per_px,
        },
        "summary": summary_rows(run),
        "gnss_lost_s": _seconds(run.gnss_lost_ns, start_ns),
        "frames": [
            _frame(f, s, run, overview, start_ns)
            for f, s in zip(run.frames, run.scores, strict=True)
        ],
        "truth": _truth(run.truth, overview, start_ns),
        "track": _track(run, overview, start_ns),
        "refusals": total("", run.scores).refusals,
        "latency": [
            {"stage": stage, "median": s.median, "p95": s.p95}
            for stage, s in stage_latency(f.result for f in run.frames).items()
        ],
    }


def summary_rows(run: RunRecord) -> list[tuple[str, str]]:
    """(what, figure) pairs, also printed on the console."""
    sums = total("", run.scores)
    rows = [
        ("frames", f"{sums.frames}"),
        ("accepted", f"{sums.accepted}"),
        ("refused", f"{sums.frames - sums.accepted}"),
    ]
    for what, s in (
        ("fix error, ground point under the picture's centre", sums.centre),
        ("fix error against the recorded position", sums.vehicle),
        ("estimate error at 10 Hz", spread(error for _, error in tick_errors(run.ticks, run))),
    ):
        if s:
            figures = f"median {s.median:.1f}, P90 {s.p90:.1f}, P95 {s.p95:.1f}, max {s.max:.1f} m"
            rows.append((what, figures))
    rows += [
        (f"errors inside the 95 % ellipse, {what}", f"{100 * inside:.0f} %")
        for what, inside in (("centre", sums.inside_centre), ("position", sums.inside_vehicle))
        if inside is not None
    ]
    rows += [
        (f"{what} off by more than their protection level", f"{sum(off)} of {len(off)}")
        for what, off in (("fixes", _fixes_misleading(run)), ("estimates", _ticks_misleading(run)))
        if off
    ]
    available = share(t.has_position for t in run.ticks)
    if available is not None:
        rows.append(("availability of a position", f"{100 * available:.0f} % of the time"))
    lost_ns = run.gnss_lost_ns
    if lost_ns is not None:
        after = [t for t in run.ticks if t.time_ns >= lost_ns]
        available = share(t.has_position for t in after)
        if available is not None:
            rows.append(("availability without GNSS", f"{100 * available:.0f} % of the time"))
        s = spread(error for _, error in tick_errors(after, run))
        if s:
            rows.append(
                ("estimate error without GNSS", f"median {s.median:.1f}, P95 {s.p95:.1f} m")
            )
    if run.messages_sent:
        rows.append(("MAVLink messages sent", f"{run.messages_sent}"))
    if sums.latency_ms:
        ms = sums.latency_ms
        rows.append(("time for one frame", f"median {ms.median:.0f}, P95 {ms.p95:.0f} ms"))
    return rows


def _fixes_misleading(run: RunRecord) -> list[bool]:
    return [
        s.vehicle_m > s.protection_m
        for s in run.scores
        if s.vehicle_m is not None and s.protection_m is not None
    ]


def _ticks_misleading(run: RunRecord) -> list[bool]:
    return [
        error > tick.estimate.protection_m
        for tick, error in tick_errors(run.ticks, run)
        if error is not None and tick.estimate and tick.estimate.protection_m is not None
    ]


def tick_errors(ticks: Sequence[Tick], run: RunRecord) -> list[tuple[Tick, float | None]]:
    """The estimate's error at each tick that had a position and a truth; None otherwise."""
    errors: list[tuple[Tick, float | None]] = []
    for tick in ticks:
        error = None
        if tick.has_position and tick.estimate and run.truth:
            e = tick.estimate
            offset = offset_m(run.truth.at(tick.time_ns), e.lat_deg, e.lon_deg)
            error = None if offset is None else float(np.hypot(*offset))
        errors.append((tick, error))
    return errors


def _positions(run: RunRecord) -> list[tuple[float, float]]:
    places = [
        (f.result.fix.lat_deg, f.result.fix.lon_deg) for f in run.frames if f.result.fix is not None
    ]
    if run.truth is not None:
        places += list(zip(run.truth.lat_deg.tolist(), run.truth.lon_deg.tolist(), strict=True))
    return places


def _frame(
    record: FrameRecord, score: FrameScore, run: RunRecord, overview: Overview, start_ns: int
) -> dict[str, Any]:
    result, fix, refusal = record.result, record.result.fix, record.result.refusal
    truth = run.truth.at(result.time_ns) if run.truth else None
    at = (fix.lat_deg, fix.lon_deg) if fix else truth
    return {
        "name": result.frame_name,
        "t": _seconds(result.time_ns, start_ns),
        "accepted": fix is not None,
        "reason": refusal.reason.value if refusal else "",
        "stage": refusal.stage.value if refusal else "",
        "detail": refusal.detail if refusal else "",
        "xy": _xy(overview, at),
        "centre_m": _rounded(score.centre_m),
        "vehicle_m": _rounded(score.vehicle_m),
        "protection_m": _rounded(fix.protection_m) if fix else None,
        "inliers": fix.inliers if fix else None,
        "lat": round(fix.lat_deg, 7) if fix else None,
        "lon": round(fix.lon_deg, 7) if fix else None,
        "latency_ms": _rounded(score.latency_ms),
        "view": _base64(record.view_jpeg),
        "map": _base64(record.map_jpeg),
    }


def _truth(truth: Track | None, overview: Overview, start_ns: int) -> list[list[float | None]]:
    if truth is None:
        return []
    step = max(1, len(truth.time_ns) // MAX_TRACK_POINTS)
    return [
        [_seconds(int(t), start_ns), *_xy(overview, (float(lat), float(lon)))]
        for t, lat, lon in list(zip(truth.time_ns, truth.lat_deg, truth.lon_deg, strict=True))[
            ::step
        ]
    ]


def _track(run: RunRecord, overview: Overview, start_ns: int) -> list[dict[str, Any]]:
    """A point a tick; one without a position has no xy, so that the line is broken there."""
    step = max(1, len(run.ticks) // MAX_TRACK_POINTS)
    points = []
    for tick, error in tick_errors(run.ticks[::step], run):
        e = tick.estimate if tick.has_position else None
        sigma_m = float(np.sqrt(np.linalg.eigvalsh(e.covariance)[-1])) if e else None
        points.append(
            {
                "t": _seconds(tick.time_ns, start_ns),
                "xy": _xy(overview, (e.lat_deg, e.lon_deg)) if e else None,
                "mode": e.mode.value if e else "lost",
                "error_m": _rounded(error),
                "bound_m": _rounded(SIGMA_95 * sigma_m) if sigma_m is not None else None,
            }
        )
    return points


def _xy(overview: Overview, position: tuple[float, float] | None) -> list[float]:
    if position is None:
        return []
    return [round(v, 1) for v in overview.pixel(*position)]


def _seconds(time_ns: int | None, start_ns: int) -> float | None:
    return None if time_ns is None else round((time_ns - start_ns) / 1e9, 2)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _encoded(overview: Overview) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, OVERVIEW_QUALITY]
    return np.asarray(cv2.imencode(".jpg", overview.picture, quality)[1], np.uint8).tobytes()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")
