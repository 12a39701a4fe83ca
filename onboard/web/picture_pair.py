"""A frame's view beside the part of the map that it was compared with, as one picture: two
requests could meet two frames."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from onboard.errors import InputError
from onboard.messages import TILE_PX, Floats, FrameResult, Picture

JPEG_QUALITY = 80
GAP_PX = 8
MAX_CUT_PX = 4 * TILE_PX  # a view covers about one tile; more is no match to show

Cut = Callable[[int, int, int, int, int], Picture]  # (level, x, y, width, height)


def picture_pair(result: FrameResult, cut: Cut) -> Picture | None:
    """(256, 520, 3) BGR: view, gap, map; None where the frame came to no view. The map is cut as
    the view lies where it matched, or is the best candidate's tile, or black.

    Raises InputError as `imagery.Imagery.picture` does.
    """
    if result.view is None:
        return None
    out = np.zeros((TILE_PX, 2 * TILE_PX + GAP_PX, 3), np.uint8)
    out[:, :TILE_PX] = result.view.picture
    if result.match is not None:
        out[:, -TILE_PX:] = _as_the_view_lies(result.match.view_to_map, result.match.level, cut)
    elif result.candidates:
        tile = result.candidates[0].tile
        out[:, -TILE_PX:] = cut(tile.level, *tile.origin_px, TILE_PX, TILE_PX)
    return out


def jpeg(picture: Picture) -> bytes:
    """Encoded for a person to look at."""
    written, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not written:
        raise InputError("a picture could not be encoded; see whether memory is left")
    return np.asarray(data, np.uint8).tobytes()


def _as_the_view_lies(view_to_map: Floats, level: int, cut: Cut) -> Picture:
    corners = np.array([[x, y, 1.0] for x in (0, TILE_PX) for y in (0, TILE_PX)])
    places = corners @ view_to_map.T
    size = np.ptp(places, axis=0)
    if not np.isfinite(places).all() or size.max() > MAX_CUT_PX:
        return np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    left, top = (int(v) for v in np.floor(places.min(0)))
    width, height = (int(v) + 2 for v in np.ceil(size))
    # OpenCV counts from the middle of a pixel, map coordinates from its corner.
    to_cut = view_to_map.astype(np.float64).copy()
    to_cut[:, 2] += to_cut[:, :2] @ (0.5, 0.5) - (left + 0.5, top + 0.5)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    turned = cv2.warpAffine(
        cut(level, left, top, width, height), to_cut, (TILE_PX, TILE_PX), flags=flags
    )
    return np.asarray(turned, np.uint8)
