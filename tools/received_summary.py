"""What the listener got, set against the truth: the figures that an autopilot would live with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from onboard.geodesy import distance_m
from onboard.outputs.gps_input import FIX_3D
from tools.gps_input_listener import Received
from tools.run_record import RunRecord
from tools.scores import spread
from tools.truth import Track

RAYLEIGH_95 = math.sqrt(-math.log(0.05))  # 95 % radius of a circular normal, per 2-D RMS


def received_rows(received: Received, run: RunRecord) -> list[tuple[str, str]]:
    """(what, figure) pairs, as `report_data.summary_rows`."""
    rows = [("GPS_INPUT received", f"{len(received.positions)} ({_rate_hz(received):.1f} Hz)")]
    sources = ", ".join(f"{s}/{c}" for s, c in sorted(received.heartbeat_sources)) or "nobody"
    rows.append(("HEARTBEAT received", f"{received.heartbeats} from {sources}"))
    rows.append(("messages lost, bytes not understood", f"{received.lost}, {received.bad}"))
    if run.gnss_lost_ns is None or run.truth is None:
        return rows
    after = _after(received, run.gnss_lost_ns)
    trusted = trusted_after(received, run.gnss_lost_ns)
    if after:
        share = 100 * len(trusted) / len(after)
        rows.append(("received without GNSS, with fix_type 3", f"{share:.0f} %"))
    errors = [(m, _error_m(m, run.truth)) for m in trusted]
    known = [(m, e) for m, e in errors if e is not None]
    s = spread(e for _, e in known)
    if s:
        figures = f"median {s.median:.1f}, P95 {s.p95:.1f}, max {s.max:.1f} m"
        rows.append(("their error", figures))
        inside = np.mean([e <= m.horiz_accuracy * RAYLEIGH_95 for m, e in known])
        rows.append(("their error within the 95 % radius they state", f"{100 * inside:.0f} %"))
    rows.extend(("STATUSTEXT", text) for text in received.texts)
    return rows


def trusted_after(received: Received, time_ns: int) -> list[Any]:
    """The positions with fix_type 3 from a moment on."""
    return [m for m in _after(received, time_ns) if m.fix_type >= FIX_3D]


def _after(received: Received, time_ns: int) -> list[Any]:
    return [m for m in received.positions if m.time_usec * 1000 >= time_ns]


def _rate_hz(received: Received) -> float:
    times = [m.time_usec for m in received.positions]
    return (len(times) - 1) / (times[-1] - times[0]) * 1e6 if len(times) > 1 else 0.0


def _error_m(message: Any, truth: Track) -> float | None:
    at = truth.at(message.time_usec * 1000)
    return None if at is None else distance_m(*at, message.lat * 1e-7, message.lon * 1e-7)
