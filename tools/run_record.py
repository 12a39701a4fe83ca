"""What is kept of a run for its report: small, so that a long flight fits in memory."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np

from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_PX, Estimate, FrameResult, Picture
from onboard.pack.map_pack import MapPack
from onboard.reasons import Mode
from tools.scores import FrameScore
from tools.truth import Track

JPEG_QUALITY = 80


@dataclass(frozen=True)
class FrameRecord:
    """A frame's result without its pictures' pixels: they are JPEG files here. map_jpeg is
    the map where the view was found, or the best candidate's tile where it was refused."""

    result: FrameResult
    view_jpeg: bytes | None
    map_jpeg: bytes | None


@dataclass(frozen=True)
class Tick:
    """The estimate that was published at a moment of the log, None when there was none."""

    time_ns: int
    estimate: Estimate | None

    @property
    def has_position(self) -> bool:
        return self.estimate is not None and self.estimate.mode is not Mode.LOST


@dataclass(frozen=True)
class RunRecord:
    """A whole run. ticks is empty where every frame stood alone; truth is what it is
    compared with, gnss_lost_ns the moment at which the receiver was taken away."""

    title: str
    frames: tuple[FrameRecord, ...]
    scores: tuple[FrameScore, ...]
    ticks: tuple[Tick, ...] = ()
    truth: Track | None = None
    gnss_lost_ns: int | None = None
    messages_sent: int = 0
    notes: tuple[str, ...] = ()


def keep_frame(result: FrameResult, pack: MapPack) -> FrameRecord:
    """Compresses the pair of pictures and lets go of the view."""
    view = result.view
    return FrameRecord(
        dataclasses.replace(result, view=None),
        _jpeg(view.picture) if view else None,
        _map_jpeg(result, pack),
    )


def _map_jpeg(result: FrameResult, pack: MapPack) -> bytes | None:
    if result.fix and result.match:
        level = result.match.level
        x, y = latlon_to_pixel(result.fix.centre_lat_deg, result.fix.centre_lon_deg, level)
        return _jpeg(pack.picture(level, int(x) - TILE_PX // 2, int(y) - TILE_PX // 2))
    if result.match:
        return _jpeg(pack.tile_picture(result.match.tile))
    return _jpeg(pack.tile_picture(result.candidates[0].tile)) if result.candidates else None


def _jpeg(picture: Picture) -> bytes:
    written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    assert written
    return np.asarray(data, np.uint8).tobytes()
