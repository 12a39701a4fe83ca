"""Steps of a flight as Foxglove's tables: what a person looks at. The exact replay reads none
of it but the view's picture."""

from __future__ import annotations

import base64
import math
from typing import Any

import cv2
import numpy as np

from onboard.messages import (
    Estimate,
    Fix,
    FrameResult,
    GnssAssessment,
    Picture,
)
from onboard.reasons import Mode
from onboard.recording.steps import SentBytes
from onboard.recording.table_json import table_of
from onboard.telemetry_messages import AutopilotPosition, Gnss

JPEG_QUALITY = 80
PNG_EFFORT = 1  # of 9: more saves a tenth and costs five times as long
SHOWN_CANDIDATES = 5
UNKNOWN, APPROXIMATED = 0, 1  # foxglove.PositionCovarianceType
INFO, WARNING, ERROR = 2, 3, 4  # foxglove.LogLevel
LEVEL_OF_SEVERITY = (5, 5, 4, 4, 3, 2, 2, 1)  # MAV_SEVERITY, emergency first

Table = dict[str, Any]


def stamp(unix_ns: int) -> Table:
    """foxglove's time."""
    sec, nsec = divmod(max(0, unix_ns), 1_000_000_000)
    return {"sec": sec, "nsec": nsec}


def jpeg_table(picture: Picture, unix_ns: int, frame_id: str) -> Table:
    return _picture_table(
        picture, unix_ns, frame_id, "jpeg", [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )


def png_table(picture: Picture, unix_ns: int, frame_id: str) -> Table:
    return _picture_table(
        picture, unix_ns, frame_id, "png", [cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT]
    )


def estimate_table(estimate: Estimate, unix_ns: int) -> Table:
    return _place(
        unix_ns,
        "estimate",
        estimate.lat_deg,
        estimate.lon_deg,
        estimate.amsl_m,
        estimate.covariance,
        estimate.amsl_sigma_m,
    )


def fix_table(fix: Fix, unix_ns: int) -> Table:
    return _place(unix_ns, "fix", fix.lat_deg, fix.lon_deg, None, fix.covariance, None)


def gnss_table(gnss: Gnss, unix_ns: int) -> Table:
    covariance = np.eye(2) * gnss.sigma_m**2
    name = f"gnss{gnss.receiver}"
    return _place(unix_ns, name, gnss.lat_deg, gnss.lon_deg, gnss.amsl_m, covariance, None)


def autopilot_table(position: AutopilotPosition, unix_ns: int) -> Table:
    lat_deg, lon_deg = position.lat_deg, position.lon_deg
    return _place(unix_ns, "autopilot", lat_deg, lon_deg, position.amsl_m, None, None)


def state_table(estimate: Estimate | None, gnss: GnssAssessment) -> Table:
    table: Table = {
        "mode": (estimate.mode if estimate else Mode.LOST).value,
        "gnss": gnss.state.value,
        "gnss_evidence": list(gnss.evidence),
    }
    if estimate is not None:
        table |= {
            "fix_age_s": estimate.fix_age_s,
            "accuracy_m": math.sqrt(max(0.0, float(np.trace(estimate.covariance)))),
            "protection_m": estimate.protection_m,
            "velocity_north_m_s": estimate.velocity_north_m_s,
            "velocity_east_m_s": estimate.velocity_east_m_s,
            "amsl_m": estimate.amsl_m,
        }
    return _finite(table)


def frame_table(number: int, result: FrameResult) -> Table:
    table: Table = {
        "number": number,
        "name": result.frame_name,
        "latency_ms": _finite(dict(result.latency_ms)),
        "candidates": [
            {"tile": str(c.tile), "distance": c.distance, "log_prior": c.log_prior}
            for c in result.candidates[:SHOWN_CANDIDATES]
        ],
    }
    if result.refusal is not None:
        refusal = result.refusal
        table |= {"stage": refusal.stage.value, "reason": refusal.reason.value}
        table["detail"] = refusal.detail
    if result.view is not None:
        table |= {"level": result.view.level, "agl_m": result.view.agl_m}
    if result.height is not None:
        table["height"] = _finite(table_of(result.height))
    if result.fix is not None:
        fix = result.fix
        table["fix"] = _finite(
            {
                "latitude": fix.lat_deg,
                "longitude": fix.lon_deg,
                "sigma_m": math.sqrt(max(0.0, float(np.trace(fix.covariance)))),
                "protection_m": fix.protection_m,
                "source": fix.source,
            }
        )
    if result.match is not None:
        match = result.match
        names = ("score", "runner_up", "scale", "rotation", "inliers", "checked", "residual_px")
        table["match"] = _finite({name: getattr(match, name) for name in names})
        table["match"]["tile"] = str(match.tile)
    return _finite(table)


def refusal_log(result: FrameResult, unix_ns: int) -> Table:
    assert result.refusal is not None
    refusal = result.refusal
    message = f"{result.frame_name}: {refusal.reason.value} ({refusal.detail})"
    return log_table(WARNING, message, refusal.stage.value, unix_ns)


def text_log(sent: SentBytes, unix_ns: int) -> Table:
    level = LEVEL_OF_SEVERITY[min(max(sent.severity, 0), len(LEVEL_OF_SEVERITY) - 1)]
    return log_table(level, sent.text, "statustext", unix_ns)


def log_table(level: int, message: str, name: str, unix_ns: int) -> Table:
    return {
        "timestamp": stamp(unix_ns),
        "level": level,
        "message": message,
        "name": name,
        "file": "",
        "line": 0,
    }


def _picture_table(
    picture: Picture, unix_ns: int, frame_id: str, form: str, options: list[int]
) -> Table:
    written, data = cv2.imencode(f".{form}", picture, options)
    encoded = base64.b64encode(np.asarray(data, np.uint8).tobytes()).decode() if written else ""
    return {
        "timestamp": stamp(unix_ns),
        "frame_id": frame_id,
        "data": encoded,
        "format": form,
    }


def _place(
    unix_ns: int,
    frame_id: str,
    lat_deg: float,
    lon_deg: float,
    amsl_m: float | None,
    covariance: Any,
    amsl_sigma_m: float | None,
) -> Table:
    """covariance: (2,2) east-north m2. A height that isn't known is 0, as its variance tells."""
    known = covariance is not None and bool(np.isfinite(covariance).all())
    nine = [0.0] * 9
    if known:
        nine[0], nine[1] = float(covariance[0, 0]), float(covariance[0, 1])
        nine[3], nine[4] = float(covariance[1, 0]), float(covariance[1, 1])
        nine[8] = (amsl_sigma_m or 0.0) ** 2
    return {
        "timestamp": stamp(unix_ns),
        "frame_id": frame_id,
        "latitude": lat_deg if math.isfinite(lat_deg) else 0.0,
        "longitude": lon_deg if math.isfinite(lon_deg) else 0.0,
        "altitude": amsl_m if amsl_m is not None and math.isfinite(amsl_m) else 0.0,
        "position_covariance": nine,
        "position_covariance_type": APPROXIMATED if known else UNKNOWN,
    }


def _finite(table: Table) -> Table:
    """JSON has no NaN: what is no number, or isn't known, is left out."""
    return {
        key: value
        for key, value in table.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }
