"""A picture of the part of the map that a flight saw, and where positions lie in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from onboard.geodesy import latlon_to_pixel, pixel_size_m
from onboard.messages import Picture
from onboard.pack.map_pack import MapPack

LONGEST_SIDE_PX = 1600
MARGIN_SHARE = 0.15  # around the positions, of their extent
MIN_MARGIN_M = 150.0
_BLOCK_PX = 2048  # read and reduced at once, so that a large map needs little memory


@dataclass(frozen=True)
class Overview:
    """picture (H, W, 3) BGR; its upper left corner is map pixel (left, top) of a level, one
    of its pixels is `reduction` map pixels and m_per_px metres wide."""

    picture: Picture
    level: int
    left: int
    top: int
    reduction: int
    m_per_px: float

    def pixel(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        x, y = latlon_to_pixel(lat_deg, lon_deg, self.level)
        return float(x - self.left) / self.reduction, float(y - self.top) / self.reduction


def make_overview(pack: MapPack, positions: Sequence[tuple[float, float]]) -> Overview:
    """positions: (lat_deg, lon_deg) to show; those that are not in the pack are left out, and
    with none of them inside the whole pack is shown."""
    level = min(pack.levels)
    south, west, north, east = pack.bounds
    corners = np.array([[north, west], [south, east]])
    shown = np.array([p for p in positions if pack.contains(*p)] or corners)
    x, y = latlon_to_pixel(shown[:, 0], shown[:, 1], level)
    map_x, map_y = latlon_to_pixel(corners[:, 0], corners[:, 1], level)
    m_per_px = pixel_size_m(pack.centre[0], level)[0]
    extent = max(x.max() - x.min(), y.max() - y.min())
    margin = max(MARGIN_SHARE * extent, MIN_MARGIN_M / m_per_px)
    left, right = max(x.min() - margin, map_x[0]), min(x.max() + margin, map_x[1])
    top, bottom = max(y.min() - margin, map_y[0]), min(y.max() + margin, map_y[1])
    reduction = max(1, math.ceil(max(right - left, bottom - top) / LONGEST_SIDE_PX))
    finer = _finer_level(pack, level, max(right - left, bottom - top))
    scale = 2 ** (finer - level)
    box = [math.floor(v * scale) for v in (left, top, right, bottom)]
    picture = _reduced(pack, finer, box[0], box[1], box[2] - box[0], box[3] - box[1], reduction)
    return Overview(picture, finer, box[0], box[1], reduction, m_per_px / scale * reduction)


def _finer_level(pack: MapPack, level: int, side_px: float) -> int:
    """The finest level at which the picture still fits without reduction."""
    fitting = [n for n in pack.levels if side_px * 2 ** (n - level) <= LONGEST_SIDE_PX]
    return max(fitting, default=level)


def _reduced(
    pack: MapPack, level: int, left: int, top: int, width: int, height: int, reduction: int
) -> Picture:
    out_w, out_h = max(1, width // reduction), max(1, height // reduction)
    out = np.zeros((out_h, out_w, 3), np.uint8)
    step = max(1, _BLOCK_PX // reduction)
    for row in range(0, out_h, step):
        for col in range(0, out_w, step):
            rows, cols = min(step, out_h - row), min(step, out_w - col)
            x, y = left + col * reduction, top + row * reduction
            block = pack.picture(level, x, y, cols * reduction, rows * reduction)
            out[row : row + rows, col : col + cols] = cv2.resize(
                block, (cols, rows), interpolation=cv2.INTER_AREA
            )
    return out
