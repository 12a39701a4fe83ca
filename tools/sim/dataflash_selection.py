"""Which receiver ArduPilot navigated by, from its own log: the message XKFS tells it, MAVLink
does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.outputs.gps_input import GPS_ID
from tools.logs.quiet import quiet


def newest_log(folder: Path) -> Path:
    """Raises InputError when there is none."""
    logs = sorted(folder.glob("*.BIN"), key=lambda path: path.stat().st_mtime)
    if not logs:
        raise InputError(f"{folder}: no .BIN log in it; give the folder 'logs' where SITL runs")
    return logs[-1]


def handover_s(log: Path, loss_ns: int) -> float | None:
    """Seconds from loss_ns (of the autopilot's clock) until its first EKF core navigated by
    Pilotage's receiver; None when it never did."""
    from pymavlink import DFReader

    with quiet():
        reader: Any = DFReader.DFReader_binary(str(log))
        while (message := reader.recv_match(type={"XKFS"})) is not None:
            time_ns = int(message.TimeUS) * 1000
            if message.C == 0 and time_ns >= loss_ns and message.GI == GPS_ID:
                return (time_ns - loss_ns) * 1e-9
    return None
