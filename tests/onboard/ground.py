"""A piece of ground out of noise at several scales, as imagery and as views of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.messages import TILE_PX, Candidate, Picture, TileId, View

LEVEL = 18
GROUND_SIZE_M = 0.5


def texture(seed: int, side: int = 1024) -> Picture:
    rng = np.random.default_rng(seed)
    gray = np.zeros((side, side))
    for step in (6, 14, 40, 120):
        coarse = rng.normal(size=(side // step + 2, side // step + 2))
        gray += cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    eight = np.clip(128 + 28 * gray, 1, 255).astype(np.uint8)
    return np.repeat(eight[..., None], 3, axis=2)


class Ground:
    """Imagery whose map pixels start at (0, 0); black outside."""

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def picture(
        self, level: int, x: int, y: int, width: int = TILE_PX, height: int = TILE_PX
    ) -> Picture:
        shift = np.array([[1, 0, -x], [0, 1, -y]], np.float64)
        return np.asarray(cv2.warpAffine(self._picture, shift, (width, height)), np.uint8)


def view_of(
    picture: Picture, x: float, y: float, scale: float = 1.0, turn: float = 0.0, time_ns: int = 0
) -> View:
    """The view centred on map pixel (x, y); a view pixel is `scale` map pixels, turned."""
    view_to_map = similarity(x, y, scale, turn)
    shot = cv2.warpAffine(
        picture,
        _pixel_centres(view_to_map),
        (TILE_PX, TILE_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    return north_up(np.asarray(shot, np.uint8), time_ns)


def north_up(picture: Picture, time_ns: int = 0, mask: NDArray[np.bool_] | None = None) -> View:
    return View(
        time_ns=time_ns,
        picture=picture,
        mask=picture.max(2) > 0 if mask is None else mask,
        level=LEVEL,
        east_m_per_px=GROUND_SIZE_M,
        north_m_per_px=GROUND_SIZE_M,
        nadir_east_m=0.0,
        nadir_north_m=0.0,
        agl_m=100.0,
        height_sigma_m=3.0,
    )


def similarity(x: float, y: float, scale: float, turn: float) -> NDArray[np.float64]:
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    matrix = np.array([[c, -s, 0.0], [s, c, 0.0]])
    matrix[:, 2] = np.array([x, y]) - matrix[:, :2] @ (TILE_PX / 2, TILE_PX / 2)
    return matrix


def _pixel_centres(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """OpenCV counts from the middle of the first pixel, map coordinates from its corner."""
    out = matrix.copy()
    out[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5
    return out


def candidates(*corners: tuple[int, int]) -> list[Candidate]:
    """Tiles by (column, row), as if retrieval had found them all alike."""
    return [Candidate(TileId(LEVEL, column, row), 0.1) for column, row in corners]
