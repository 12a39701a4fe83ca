"""The localizability map as a picture and as GeoJSON, which any GIS opens."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.localizability.model import Prediction
from onboard.geodesy import latlon_to_pixel
from onboard.messages import TILE_STRIDE_PX, Picture
from onboard.pack.map_pack import MapPack

# Chance of a frame, from 0 to 1: what is red, yellow, green to most eyes, and dark to light to
# those who don't tell them apart. BGR.
COLOURS_BGR = ((38, 25, 120), (60, 60, 215), (80, 190, 250), (120, 210, 120), (90, 150, 20))
SHOWN = 0.55  # of the colour over the map's own picture
LONGEST_SIDE_PX = 1400
MOST_PLACE_PX = 32
LEGEND_PX, LEGEND_BAR_PX = 64, 220
INK, PAPER = (45, 38, 33), (248, 247, 246)


@dataclass(frozen=True)
class Canvas:
    """The part of the map that is drawn: its upper left place, and pixels a place (below 1 where
    there are many)."""

    level: int
    left: int
    top: int
    width: int
    height: int
    scale: float

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height)."""
        return (
            max(1, round(self.width * self.scale)),
            max(1, round(self.height * self.scale)),
        )

    def pixel(self, lat_deg: float, lon_deg: float) -> tuple[float, float]:
        """Of a position, (x, y)."""
        x, y = latlon_to_pixel(lat_deg, lon_deg, self.level)
        across = float(x) / TILE_STRIDE_PX - 0.5 - self.left
        down = float(y) / TILE_STRIDE_PX - 0.5 - self.top
        return across * self.scale, down * self.scale


def canvas_of(predictions: Sequence[Prediction]) -> Canvas:
    """Around all of them, at least one."""
    places = [p.findings.place for p in predictions]
    rows, cols = [p.row for p in places], [p.col for p in places]
    width, height = max(cols) - min(cols) + 1, max(rows) - min(rows) + 1
    scale = min(MOST_PLACE_PX, LONGEST_SIDE_PX / max(width, height))
    return Canvas(places[0].level, min(cols), min(rows), width, height, scale)


def colour_of(chance: float) -> tuple[int, int, int]:
    """BGR."""
    at = np.linspace(0.0, 1.0, len(COLOURS_BGR))
    blue, green, red = (
        round(float(np.interp(chance, at, [c[i] for c in COLOURS_BGR]))) for i in range(3)
    )
    return blue, green, red


def draw_places(pack: MapPack, predictions: Sequence[Prediction], canvas: Canvas) -> bytes:
    """A PNG of the canvas's size: the imagery in grey under the places' colours."""
    return _png(_places(pack, predictions, canvas))


def draw_map(pack: MapPack, predictions: Sequence[Prediction], title: str) -> bytes:
    """The same with a legend."""
    canvas = canvas_of(predictions)
    return _png(_with_legend(_places(pack, predictions, canvas), title))


def as_geojson(predictions: Sequence[Prediction], about: dict[str, object]) -> str:
    """A FeatureCollection of squares, in the places' order; about: its own members."""
    features = [
        {
            "type": "Feature",
            "properties": {
                "tile": str(p.findings.place.tile),
                "probability": round(p.chance, 3),
                "probability_without_prior": round(p.chance_alone, 3),
                "sigma_m": None if p.sigma_m is None else round(p.sigma_m, 2),
                "reasons": [w.value for w in p.why],
                "views": p.findings.tried.views if p.findings.tried else 0,
            },
            "geometry": {"type": "Polygon", "coordinates": [_ring(p)]},
        }
        for p in predictions
    ]
    whole = {"type": "FeatureCollection", **about, "features": features}
    return json.dumps(whole, separators=(",", ":"), ensure_ascii=False) + "\n"


def _ring(p: Prediction) -> list[list[float]]:
    south, west, north, east = (round(v, 7) for v in p.findings.place.bounds)
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _places(pack: MapPack, predictions: Sequence[Prediction], canvas: Canvas) -> Picture:
    """Where places are smaller than a pixel, the last of those in it shows."""
    under = _grey(pack, canvas)
    over, (w, h) = under.copy(), canvas.size_px
    for p in predictions:
        row, col = p.findings.place.row - canvas.top, p.findings.place.col - canvas.left
        x0, x1 = (min(w - 1, round(c * canvas.scale)) for c in (col, col + 1))
        y0, y1 = (min(h - 1, round(r * canvas.scale)) for r in (row, row + 1))
        x1, y1 = (w if col + 1 == canvas.width else x1), (h if row + 1 == canvas.height else y1)
        over[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = colour_of(p.chance)
    return np.asarray(cv2.addWeighted(over, SHOWN, under, 1.0 - SHOWN, 0.0), np.uint8)


def _grey(pack: MapPack, canvas: Canvas) -> NDArray[np.uint8]:
    """The imagery from the pack's coarsest level that is still as fine as the canvas."""
    w, h = canvas.size_px
    wanted = canvas.level - math.log2(TILE_STRIDE_PX / canvas.scale)
    fit = [n for n in pack.levels if wanted <= n <= canvas.level]
    level = min(fit, default=canvas.level)
    side = TILE_STRIDE_PX / 2 ** (canvas.level - level)  # of a place, in pixels of that level
    out = np.zeros((h, w, 3), np.uint8)
    strip = max(1, math.ceil(256 / side))  # rows of places that are read at once
    left, across = round((canvas.left + 0.5) * side), max(1, round(canvas.width * side))
    for row in range(0, canvas.height, strip):
        rows = min(strip, canvas.height - row)
        y0, y1 = round(row * canvas.scale), round((row + rows) * canvas.scale)
        if y1 <= y0:
            continue
        top, down = round((canvas.top + row + 0.5) * side), max(1, round(rows * side))
        read = pack.picture(level, left, top, across, down)
        small = cv2.resize(read, (w, y1 - y0), interpolation=cv2.INTER_AREA)
        out[y0:y1] = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)[:, :, None]
    return out


def _with_legend(picture: Picture, title: str) -> Picture:
    h, w = picture.shape[:2]
    plain = title.encode("ascii", "replace").decode()  # OpenCV's letters are ASCII
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.42
    width = max(w, LEGEND_BAR_PX + 120, 20 + cv2.getTextSize(plain, font, size, 1)[0][0])
    out = np.full((h + LEGEND_PX, width, 3), PAPER, np.uint8)
    out[:h, :w] = picture
    for x in range(LEGEND_BAR_PX):
        out[h + 30 : h + 42, 10 + x] = colour_of(x / (LEGEND_BAR_PX - 1))
    cv2.putText(out, plain, (10, h + 20), font, size, INK, 1, cv2.LINE_AA)
    for share in (0.0, 0.5, 1.0):
        x = 10 + round(share * (LEGEND_BAR_PX - 1))
        cv2.putText(out, f"{share:.0%}", (x - 2, h + 57), font, size, INK, 1, cv2.LINE_AA)
    return out


def _png(picture: Picture) -> bytes:
    _, data = cv2.imencode(".png", picture)
    return bytes(data)
