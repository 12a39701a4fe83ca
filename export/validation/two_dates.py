"""Plots photographed on two dates, as held-out ground: real change of season, no simulation."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from export.validation.held_out import TILE_PX, HeldOut
from onboard.errors import InputError

VIEWS_PER_PLOT = 4
SEED = 78
STRIDE_PX = TILE_PX // 2


def two_dates_set(folder: Path, ground_size_m: float) -> HeldOut:
    """folder holds PLOT_DATE.jpg, two dates a plot, each pair over one footprint. The earlier
    pictures become the map, plots apart by black ground; views are cut from the later ones.
    Plots smaller than a tile are left out.

    Raises InputError: no such folder, no pairs large enough, a picture that can't be decoded.
    """
    plots: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(folder.glob("*_*.jpg")):
        plots[file.stem.split("_")[0]].append(file)
    pairs = [files for files in plots.values() if len(files) == 2]
    if not pairs:
        raise InputError(f"{folder}: holds no pairs PLOT_DATE.jpg; give a folder of such pictures")
    pictures = [(_gray(earlier), _gray(later)) for earlier, later in pairs]
    pictures = [p for p in pictures if min(p[0].shape + p[1].shape) >= TILE_PX]
    if not pictures:
        raise InputError(f"{folder}: every picture is smaller than {TILE_PX} px; give larger ones")
    largest = max(max(earlier.shape) for earlier, _ in pictures)
    spacing = -(-(largest + TILE_PX) // STRIDE_PX) * STRIDE_PX
    region = np.zeros((spacing, spacing * len(pictures), 3), np.uint8)
    rng = np.random.default_rng(SEED)
    tile_centres, views, view_centres = [], [], []
    for i, (old, new) in enumerate(pictures):
        h, w = (min(a, b) for a, b in zip(old.shape, new.shape, strict=True))
        left = i * spacing
        region[:h, left : left + w] = old[:h, :w, None]
        for y in range(TILE_PX // 2, h - TILE_PX // 2 + 1, STRIDE_PX):
            for x in range(TILE_PX // 2, w - TILE_PX // 2 + 1, STRIDE_PX):
                tile_centres.append((left + x, y))
        for _ in range(VIEWS_PER_PLOT):
            x, y = (int(rng.integers(0, side - TILE_PX + 1)) for side in (w, h))
            views.append(new[y : y + TILE_PX, x : x + TILE_PX, None])
            view_centres.append((left + x + TILE_PX / 2, y + TILE_PX / 2))
    half = TILE_PX // 2
    tiles = [region[y - half : y + half, x - half : x + half, :1] for x, y in tile_centres]
    return HeldOut(
        region,
        np.stack(views),
        np.array(view_centres),
        np.stack(tiles),
        np.array(tile_centres, np.float64),
        ground_size_m,
    )


def _gray(file: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{file}: cannot be decoded; remove it or get it again")
    return np.asarray(np.maximum(picture.mean(2), 1), np.uint8)
