"""Overhead pictures to train on: mosaics, photographs, and the same ground in several years."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray

from onboard.errors import InputError

XYZ_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class SourceKind(str, Enum):
    XYZ_FOLDER = "xyz"  # z/x/y tiles: one mosaic
    GEOTIFFS = "geotiffs"  # each its own scene, or one scene in several epochs
    PHOTOGRAPHS = "photographs"  # each its own scene


@dataclass(frozen=True)
class Source:
    """One set of training pictures. path is relative to the configuration's data folder.

    columns picks a range of an XYZ folder's x (from, to, counted from the first, inclusive).
    same_ground: the GeoTIFFs show one area in several years. weight: share of training pairs.
    """

    name: str
    kind: SourceKind
    path: str
    weight: float
    licence: str
    ground_size_m: float
    columns: tuple[int, int] | None = None
    same_ground: bool = False


@dataclass(frozen=True)
class Scene:
    """Pyramids of one area: epochs[e][k] is (H,W,3) BGR, half the size of epochs[e][k-1]."""

    name: str
    ground_size_m: float
    epochs: tuple[tuple[NDArray[np.uint8], ...], ...]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the finest level."""
        h, w = self.epochs[0][0].shape[:2]
        return w, h


def make_scene(name: str, ground_size_m: float, pictures: list[NDArray[np.uint8]]) -> Scene:
    """Builds the pyramids, down to a side of 256 px; pictures must have one size."""
    epochs = []
    for picture in pictures:
        levels: list[NDArray[np.uint8]] = [picture]
        while min(levels[-1].shape[:2]) > 512:
            h, w = levels[-1].shape[:2]
            smaller = cv2.resize(levels[-1], (w // 2, h // 2), interpolation=cv2.INTER_AREA)
            levels.append(np.asarray(smaller, np.uint8))
        epochs.append(tuple(levels))
    return Scene(name, ground_size_m, tuple(epochs))


def load_scenes(source: Source, data: Path) -> list[Scene]:
    """Raises InputError when the set is absent or holds no picture."""
    path = data / source.path
    if not path.exists():
        raise InputError(
            f"{path}: training set '{source.name}' is absent; set 'data' to where it lies"
        )
    if source.kind is SourceKind.XYZ_FOLDER:
        pictures = [_xyz_mosaic(path, source.columns)]
        named = [(source.name, pictures)]
    elif source.kind is SourceKind.GEOTIFFS:
        files = sorted(path.glob("*.tif"))
        pictures = [_read_geotiff(f) for f in files]
        if source.same_ground:
            named = [(source.name, _common_size(pictures))]
        else:
            named = [(f.stem, [p]) for f, p in zip(files, pictures, strict=True)]
    else:
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in (".jpg", ".jpeg"))
        named = [(f"{source.name}/{f.name}", [_read_photograph(f)]) for f in files]
    if not named or not named[0][1]:
        raise InputError(f"{path}: no pictures found for training set '{source.name}'")
    return [make_scene(name, source.ground_size_m, pictures) for name, pictures in named]


def _xyz_mosaic(path: Path, columns: tuple[int, int] | None) -> NDArray[np.uint8]:
    xs = sorted(int(p.name) for p in path.iterdir() if p.name.isdigit())
    if columns is not None:
        xs = xs[columns[0] : columns[1] + 1]
    rows = {
        x: {int(f.stem): f for f in (path / str(x)).iterdir() if f.suffix in XYZ_SUFFIXES}
        for x in xs
    }
    ys = sorted({y for column in rows.values() for y in column})
    if not xs or not ys:
        raise InputError(f"{path}: no x/y tiles found")
    strips = []
    side = None
    for x in range(xs[0], xs[-1] + 1):
        tiles = []
        for y in range(ys[0], ys[-1] + 1):
            file = rows.get(x, {}).get(y)
            tile = _read_photograph(file) if file else None
            side = tile.shape[0] if tile is not None else side
            tiles.append(tile)
        if side is None:
            raise InputError(f"{path}: the first column holds no readable tile")
        blank = np.zeros((side, side, 3), np.uint8)
        strips.append(np.vstack([blank if t is None else t for t in tiles]))
    return np.hstack(strips)


def _read_geotiff(file: Path) -> NDArray[np.uint8]:
    try:
        with rasterio.open(file) as dataset:
            bands = dataset.read((3, 2, 1))
    except rasterio.errors.RasterioError as e:
        raise InputError(f"{file}: cannot be read as an RGB GeoTIFF ({e})") from e
    return np.ascontiguousarray(np.moveaxis(bands, 0, -1))


def _common_size(pictures: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    h = min(p.shape[0] for p in pictures)
    w = min(p.shape[1] for p in pictures)
    return [np.ascontiguousarray(p[:h, :w]) for p in pictures]


def _read_photograph(file: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{file}: cannot be decoded; remove it or get it again")
    return np.asarray(picture, np.uint8)
