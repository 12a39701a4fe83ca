"""The status board as the JSON that the page reads: numbers in the units of their names."""

from __future__ import annotations

import math
import statistics
from typing import Any

from onboard.messages import Estimate, FrameResult, HeightUsed
from onboard.pack.map_pack import MapPack
from onboard.reasons import Mode
from onboard.telemetry_messages import Gnss
from onboard.web.status_board import Board, StatusBoard

STOPPED_AFTER_S = 1.5  # the flight ticks ten times a second
CHI2_95 = 5.991  # two degrees of freedom, 95 %
STAGES = ("input", "rectify", "describe", "motion", "retrieve", "rerank", "locate", "gate", "fuse")

Json = dict[str, Any]


def status_json(board: Board) -> Json:
    """All that changes from moment to moment, without tracks and pictures."""
    frame, vehicle = board.frame, board.vehicle
    return {
        "flying": board.alive_s is not None and board.alive_s < STOPPED_AFTER_S,
        "silent_s": board.alive_s,
        "clock_s": board.now_ns * 1e-9,
        "mode": (board.estimate.mode if board.estimate else Mode.LOST).value,
        "estimate": _estimate(board.estimate),
        "gnss": {
            "state": board.gnss.state.value,
            "for_s": max(0.0, (board.now_ns - board.gnss.since_ns) * 1e-9),
            "evidence": list(board.gnss.evidence),
            "receivers": [_receiver(g, board.now_ns) for _, g in sorted(board.receivers.items())],
        },
        "vehicle": None
        if vehicle is None
        else {
            "autopilot": vehicle.autopilot,
            "kind": vehicle.kind,
            "armed": vehicle.armed,
            "flight_mode": vehicle.flight_mode,
            "age_s": (board.now_ns - vehicle.time_ns) * 1e-9,
        },
        "ekf": None
        if board.ekf is None
        else {
            "flags": board.ekf.flags,
            "position_variance": _number(board.ekf.position_variance),
            "velocity_variance": _number(board.ekf.velocity_variance),
        },
        "autopilot": None
        if board.autopilot is None
        else {
            "lat_deg": _number(board.autopilot.lat_deg),
            "lon_deg": _number(board.autopilot.lon_deg),
        },
        "frames": board.frames,
        "fixes": board.fixes,
        "refused": dict(sorted(board.refused.items(), key=lambda r: -r[1])),
        "frame": None if frame is None else _frame(frame, board.now_ns),
        "pictured": _pictured(board),
        "refusals": [_frame(r, board.now_ns) for r in board.refusals],
        "latency_ms": [_latency(stage, board.stage_ms[stage]) for stage in _stages(board)],
        "sent": board.sent,
        "texts": list(board.texts),
        "health": [
            {"name": name, "problem": h.problem, "detail": h.detail}
            for name, h in sorted(board.health.items())
        ],
    }


def tracks_json(board: StatusBoard, held: dict[str, tuple[int, int]]) -> Json:
    """held: by track, what the page has already, as (thinned, count)."""
    tracks: Json = {}
    for name in board.track_names():
        thinned, first, points = board.track(name, *held.get(name, (0, 0)))
        tracks[name] = {
            "thinned": thinned,
            "first": first,
            "points": [
                [round(p.lat_deg, 7), round(p.lon_deg, 7), 1 if p.begins else 0] for p in points
            ],
        }
    return tracks


def map_json(pack: MapPack, lowest_level: int) -> Json:
    """What does not change in flight."""
    south, west, north, east = pack.bounds
    return {
        "name": pack.path.name,
        "bounds": [south, west, north, east],
        "lowest_level": lowest_level,
        "levels": list(pack.levels),
        "attribution": list(pack.manifest.credits()),
        "model": pack.manifest.model.id,
    }


def _estimate(estimate: Estimate | None) -> Json | None:
    if estimate is None:
        return None
    along_m, across_m, turn = _ellipse(estimate)
    return {
        "lat_deg": _number(estimate.lat_deg),
        "lon_deg": _number(estimate.lon_deg),
        "velocity_north_m_s": _number(estimate.velocity_north_m_s),
        "velocity_east_m_s": _number(estimate.velocity_east_m_s),
        "velocity_measured": estimate.velocity_sigma_m_s is not None,
        "amsl_m": _number(estimate.amsl_m),
        "fix_age_s": _number(estimate.fix_age_s),
        "protection_m": _number(estimate.protection_m),
        "ellipse_95": [_number(along_m), _number(across_m), _number(turn)],
    }


def _ellipse(estimate: Estimate) -> tuple[float, float, float]:
    """(long half axis, short one (m), direction of the long one from east to north (rad))."""
    ee, en, nn = (float(estimate.covariance[i]) for i in ((0, 0), (0, 1), (1, 1)))
    mean, spread = (ee + nn) / 2, math.hypot((ee - nn) / 2, en)
    turn = 0.5 * math.atan2(2 * en, ee - nn)
    return (
        math.sqrt(CHI2_95 * max(0.0, mean + spread)),
        math.sqrt(CHI2_95 * max(0.0, mean - spread)),
        turn,
    )


def _receiver(gnss: Gnss, now_ns: int) -> Json:
    return {
        "receiver": gnss.receiver,
        "has_fix": gnss.has_fix,
        "fix_type": gnss.fix_type,
        "satellites": gnss.satellites,
        "sigma_m": _number(gnss.sigma_m),
        "lat_deg": _number(gnss.lat_deg),
        "lon_deg": _number(gnss.lon_deg),
        "age_s": (now_ns - gnss.time_ns) * 1e-9,
    }


def _frame(result: FrameResult, now_ns: int) -> Json:
    fix, refusal, match = result.fix, result.refusal, result.match
    return {
        "name": result.frame_name,
        "age_s": (now_ns - result.time_ns) * 1e-9,
        "fix": None
        if fix is None
        else {
            "lat_deg": _number(fix.lat_deg),
            "lon_deg": _number(fix.lon_deg),
            "protection_m": _number(fix.protection_m),
            "inliers": fix.inliers,
        },
        "refusal": None
        if refusal is None
        else {
            "stage": refusal.stage.value,
            "reason": refusal.reason.value,
            "detail": refusal.detail,
        },
        "match": None
        if match is None
        else {
            "tile": str(match.tile),
            "score": _number(match.score),
            "runner_up": _number(match.runner_up),
            "inliers": match.inliers,
            "checked": match.checked,
            "residual_px": _number(match.residual_px),
        },
        "height": None if result.height is None else _height(result.height),
        "total_ms": _number(sum(result.latency_ms.values())),
    }


def _height(height: HeightUsed) -> Json:
    return {
        "agl_m": _number(height.agl_m),
        "sigma_m": _number(height.sigma_m),
        "source": height.source,
        "ground_amsl_m": _number(height.ground_amsl_m),
        "bias_m": _number(height.bias_m),
        "rangefinder_differs_m": _number(height.rangefinder_differs_m),
        "problem": height.problem,
    }


def _pictured(board: Board) -> Json | None:
    if board.pictured is None:
        return None
    number, result = board.pictured
    shown = "match" if result.match else "candidate" if result.candidates else "nothing"
    return {"number": number, "shown": shown, **_frame(result, board.now_ns)}


def _stages(board: Board) -> list[str]:
    """In the order in which a frame passes them."""
    return sorted(board.stage_ms, key=lambda s: STAGES.index(s) if s in STAGES else len(STAGES))


def _latency(stage: str, spent_ms: tuple[float, ...]) -> Json:
    ordered = sorted(spent_ms)
    return {
        "stage": stage,
        "last": _number(spent_ms[-1]),
        "median": _number(statistics.median(ordered)),
        "p95": _number(ordered[math.ceil(0.95 * len(ordered)) - 1]),
    }


def _number(value: float | None) -> float | None:
    """JSON knows no NaN and no infinity."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), 7)
