"""`fixes.csv` and `fixes.geojson`: one row, one point a frame. The columns do not change."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from onboard.messages import FrameResult
from onboard.whole_file import write_whole

COLUMNS = (
    *("frame", "time_ns", "status", "reason"),
    *("lat_deg", "lon_deg", "centre_lat_deg", "centre_lon_deg"),
    *("cov_ee_m2", "cov_en_m2", "cov_nn_m2", "protection_m", "inliers", "latency_ms"),
)


def write_fixes_csv(path: Path, results: Sequence[FrameResult]) -> None:
    """latency_ms is the sum over the stages. Raises InputError when it cannot be written."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(fix_row(result) for result in results)
    write_whole(path, text.getvalue())


def fix_row(result: FrameResult) -> dict[str, Any]:
    """The columns of one frame; those of a fix are empty where it was refused."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row["frame"], row["time_ns"] = result.frame_name, result.time_ns
    row["status"] = "accepted" if result.fix else "refused"
    row["latency_ms"] = f"{sum(result.latency_ms.values()):.1f}"
    if result.refusal:
        row["reason"] = result.refusal.reason.value
    if result.fix:
        fix = result.fix
        row.update(
            lat_deg=f"{fix.lat_deg:.8f}",
            lon_deg=f"{fix.lon_deg:.8f}",
            centre_lat_deg=f"{fix.centre_lat_deg:.8f}",
            centre_lon_deg=f"{fix.centre_lon_deg:.8f}",
            cov_ee_m2=f"{fix.covariance[0, 0]:.3f}",
            cov_en_m2=f"{fix.covariance[0, 1]:.3f}",
            cov_nn_m2=f"{fix.covariance[1, 1]:.3f}",
            protection_m=f"{fix.protection_m:.2f}",
            inliers=fix.inliers,
        )
    return row


def write_fixes_geojson(path: Path, results: Sequence[FrameResult]) -> None:
    """RFC 7946; a refused frame is a feature without geometry, so that none is lost."""
    features = [
        {
            "type": "Feature",
            "geometry": {
                "type": "Point",
                "coordinates": [round(r.fix.lon_deg, 8), round(r.fix.lat_deg, 8)],
            }
            if r.fix
            else None,
            "properties": {k: v for k, v in fix_row(r).items() if v != ""},
        }
        for r in results
    ]
    write_whole(path, json.dumps({"type": "FeatureCollection", "features": features}, indent=1))
