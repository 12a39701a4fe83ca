"""Journal entries as a flight makes them, and a pack to look at: material for the status page."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.companion import FrameDone, Handled, Sent, Ticked
from onboard.geodesy import pixel_to_latlon
from onboard.messages import (
    TILE_PX,
    Candidate,
    Estimate,
    Fix,
    FrameResult,
    GnssAssessment,
    HeightUsed,
    Match,
    Refusal,
    TileId,
    View,
)
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import MANIFEST_NAME, Bounds, manifest_text, read_manifest
from onboard.reasons import GnssState, Mode, Reason, Stage
from onboard.telemetry_messages import AutopilotPosition, Gnss, VehicleState
from onboard.web.status_board import StatusBoard
from tests.onboard.ground import north_up, texture
from tests.onboard.hand_made_pack import COL0, LEVEL, ROW0, square_table, write_pack

SECOND = 1_000_000_000
TILE = TileId(LEVEL, COL0, ROW0)
HEIGHT = HeightUsed(112.4, 3.14, "map terrain", 431.2, -4.2, -7.6, "a tile <b>damaged</b>")


def small_pack(folder: Path) -> MapPack:
    """One grey tile of imagery, and bounds that fit it."""
    write_pack(folder, [square_table(2)])
    x, y = TILE.origin_px
    north, west = pixel_to_latlon(x, y, LEVEL)
    south, east = pixel_to_latlon(x + TILE_PX, y + TILE_PX, LEVEL)
    bounds = Bounds(float(south), float(west), float(north), float(east))
    manifest = dataclasses.replace(read_manifest(folder), bounds=bounds)
    (folder / MANIFEST_NAME).write_text(manifest_text(manifest))
    return MapPack.open(folder)


def position(time_s: float) -> tuple[float, float]:
    """(lat_deg, lon_deg), across the tile, 3 m/s to the north."""
    lat_deg, lon_deg = pixel_to_latlon(*TILE.centre_px, LEVEL)
    return float(lat_deg) + 2.7e-5 * (time_s - 15.0), float(lon_deg)


def estimate(time_s: float, mode: Mode = Mode.TRACKING) -> Estimate:
    return Estimate(
        round(time_s * SECOND), *position(time_s), 8.0, 0.0, np.diag([9.0, 4.0]), 0.4, 0.7, mode,
        protection_m=21.0,
    )  # fmt: skip


def ticked(time_s: float, state: GnssState = GnssState.GOOD) -> Ticked:
    now_ns = round(time_s * SECOND)
    return Ticked(now_ns, estimate(time_s), GnssAssessment(now_ns, state, 0, ("12 satellites",)))


def receiver(time_s: float, number: int = 0, has_fix: bool = True) -> Handled:
    gnss = Gnss(
        round(time_s * SECOND), *position(time_s), 2.0, has_fix, receiver=number, satellites=12
    )
    return Handled(gnss)


def autopilot(time_s: float) -> Handled:
    lat_deg, lon_deg = position(time_s)
    return Handled(
        AutopilotPosition(round(time_s * SECOND), lat_deg, lon_deg, 500.0, 100.0, 8.0, 0.0, 0.0)
    )


def vehicle(time_s: float) -> Handled:
    return Handled(VehicleState(round(time_s * SECOND), "ardupilot", "copter", True, "AUTO"))


def view(time_s: float) -> View:
    return north_up(texture(3, TILE_PX), round(time_s * SECOND))


def found(time_s: float, number: int = 0) -> FrameDone:
    """A frame that gave a fix, in the middle of the pack's only tile."""
    corner = np.array(TILE.origin_px, np.float64)
    match = Match(
        TILE, LEVEL, np.array([[1.0, 0.0, corner[0]], [0.0, 1.0, corner[1]]]), 0.8, 0.3, 1.0, 0.0,
        40, 64, 0.7, np.eye(2),
    )  # fmt: skip
    time_ns = round(time_s * SECOND)
    fix = Fix(time_ns, *position(time_s), *position(time_s), np.eye(2), 12.0, "map", 40)
    latency_ms = {"fuse": 0.2, "describe": 16.0, "input": 0.5}
    return FrameDone(
        number,
        FrameResult(
            f"frame {number}", time_ns, fix, None, None, view(time_s), match,
            (Candidate(TILE, 0.1),), latency_ms, HEIGHT,
        ),
    )  # fmt: skip


def refused(time_s: float, number: int = 0, reason: Reason = Reason.AMBIGUOUS) -> FrameDone:
    time_ns = round(time_s * SECOND)
    refusal = Refusal(time_ns, Stage.GATE, reason, "two places <b>alike</b>")
    return FrameDone(number, FrameResult(f"frame {number}", time_ns, None, refusal))


def text(words: str) -> Sent:
    return Sent(mavlink.MAVLink_statustext_message(4, words.encode()))


def fly(board: StatusBoard, seconds: int = 30) -> None:
    """A good start, then GNSS jammed, frames found and refused by turns."""
    board.note(vehicle(0.0))
    for i in range(seconds):
        board.note(receiver(i, has_fix=i < seconds // 2))
        board.note(autopilot(i))
        board.note(found(i, i) if i % 3 else refused(i, i))
        board.note(ticked(i, GnssState.GOOD if i < seconds // 2 else GnssState.JAMMED))
    board.note(text("Pilotage: has a position"))
    board.set_health("camera", "", "5.0 frames/s")
    board.set_health("recorder", "disk full", "16 GB")
