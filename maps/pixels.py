"""Pictures with holes: blank pixels are exactly (0, 0, 0), all others are at least 1."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.messages import Picture

# A run of one extreme value this wide is fill around or within imagery, not a thing seen.
FILL_PX = 33
FILL_WHITE = 253  # JPEG keeps a white hole within this of 255
FILL_BLACK = 2
FRINGE_PX = 8  # a hole's rim that JPEG's blocks have smeared
FRINGE_TOLERANCE = 16
JPEG_QUALITY = 90
TEXTURE_LEVELS = 3.0  # standard deviation of the grey value below which nothing can be matched


def mask_of(picture: Picture) -> NDArray[np.bool_]:
    """True where there is imagery."""
    # cv2 and slices throughout: numpy's reductions over three channels take 30 times longer.
    mask: NDArray[np.bool_] = cv2.inRange(picture, (0, 0, 0), (0, 0, 0)) == 0
    return mask


def coverage(picture: Picture) -> float:
    """Share of pixels with imagery."""
    return float(mask_of(picture).mean())


def has_texture(picture: Picture) -> bool:
    """Whether the grey values vary at all where there is imagery."""
    mask = mask_of(picture).astype(np.uint8)
    _, spread = cv2.meanStdDev(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), mask=mask)
    return float(spread[0, 0]) >= TEXTURE_LEVELS


def blank_fill(picture: Picture) -> Picture:
    """Blanks wide areas of pure white or black: collars and holes of mosaics saved without
    a mask."""
    keep = np.full(picture.shape[:2], 255, np.uint8)
    white, black = (FILL_WHITE, 255), (0, FILL_BLACK)
    for (low, high), (loose_low, loose_high) in (
        (white, (FILL_WHITE - FRINGE_TOLERANCE, 255)),
        (black, (0, FILL_BLACK + FRINGE_TOLERANCE)),
    ):
        seen = cv2.inRange(picture, (low,) * 3, (high,) * 3)
        if not seen.any():
            continue
        hole = cv2.morphologyEx(seen, cv2.MORPH_OPEN, np.ones((FILL_PX, FILL_PX), np.uint8))
        if not hole.any():
            continue
        rim = np.ones((2 * FRINGE_PX + 1, 2 * FRINGE_PX + 1), np.uint8)
        loose = cv2.inRange(picture, (loose_low,) * 3, (loose_high,) * 3)
        keep[cv2.bitwise_and(cv2.dilate(hole, rim), loose) > 0] = 0
    return picture if keep.all() else np.asarray(cv2.copyTo(picture, keep), np.uint8)


def resized(picture: Picture, width: int, height: int) -> Picture:
    """Scaled by area averaging (smaller) or bilinearly (larger); holes stay holes and do
    not darken their rim. A pixel at least half covered counts as imagery."""
    if (height, width) == picture.shape[:2]:
        return picture
    smaller = width < picture.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    mask = mask_of(picture)
    out = cv2.resize(picture, (width, height), interpolation=how)
    if mask.all():
        return np.maximum(out, 1).astype(np.uint8)
    weight = cv2.resize(mask.astype(np.float32), (width, height), interpolation=how)
    covered = weight >= 0.5
    filled = np.clip(out[covered] / weight[covered][:, None], 1, 255)
    out = np.zeros_like(out)
    out[covered] = filled.astype(np.uint8)
    return np.asarray(out)


def encode_tile(picture: Picture) -> bytes | None:
    """None for a blank tile, JPEG for a full one, PNG with alpha where it has holes: JPEG
    decodes three times faster than WebP, and only PNG keeps the rim of a hole exact."""
    mask = mask_of(picture)
    if not mask.any():
        return None
    if mask.all():
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    else:
        bgra = cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA)
        bgra[:, :, 3] = mask * np.uint8(255)
        _, data = cv2.imencode(".png", bgra)
    return bytes(data)
