"""Cuts a large map picture into tile files, window by window; goes on where it was killed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window
from tqdm import tqdm

from maps.progress import progress_s
from onboard.errors import InputError
from onboard.messages import Picture
from onboard.whole_file import make_folder, write_whole

PNG = ".png"


@dataclass(frozen=True)
class Cut:
    """One tile: its file, and the part of the map that it shows, which may reach beyond the
    map's right and lower border; (width_px, height_px) of map become tile_px x tile_px."""

    file: Path
    x: int
    y: int
    width_px: int
    height_px: int
    tile_px: int


def map_size(path: Path) -> tuple[int, int]:
    """(width, height) in pixels. Raises InputError: absent, not a picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as source:
                return int(source.width), int(source.height)
    except RasterioError as e:
        raise InputError(f"{path}: this map cannot be read ({e}); get the data set again") from e


def cut_tiles(path: Path, cuts: Sequence[Cut]) -> None:
    """Writes the tiles that are not there yet, BGR PNG, black beyond the border; each appears
    whole or not at all.

    Raises InputError: the map is unreadable, a tile cannot be written.
    """
    due = [cut for cut in cuts if not cut.file.is_file()]
    for folder in {cut.file.parent for cut in due}:
        make_folder(folder)
    if not due:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with rasterio.open(path) as source:
                for cut in tqdm(
                    due, desc=f"tiles of {path.name}", unit="tile", mininterval=progress_s()
                ):
                    write_png(cut.file, _window(source, cut))
    except RasterioError as e:
        raise InputError(f"{path}: this map cannot be read ({e}); get the data set again") from e


def write_png(path: Path, picture: Picture) -> None:
    """Raises InputError as `write_whole` does."""
    write_whole(path, cv2.imencode(PNG, picture)[1].tobytes())


def _window(source: rasterio.DatasetReader, cut: Cut) -> Picture:
    width = min(cut.width_px, source.width - cut.x)
    height = min(cut.height_px, source.height - cut.y)
    shape = (
        max(1, round(height * cut.tile_px / cut.height_px)),
        max(1, round(width * cut.tile_px / cut.width_px)),
    )
    bands = (1, 2, 3) if source.count >= 3 else (1, 1, 1)
    rgb = source.read(
        bands,
        window=Window(cut.x, cut.y, width, height),
        out_shape=(3, *shape),
        resampling=Resampling.lanczos,
    )
    tile = np.zeros((cut.tile_px, cut.tile_px, 3), np.uint8)
    tile[: shape[0], : shape[1]] = rgb.transpose(1, 2, 0)[:, :, ::-1]
    return tile
