"""UAV-VisLoc: 6,742 fixed-wing and quadcopter pictures over eleven satellite maps of China.

Where from: the authors' repository IntelliSensing/UAV-VisLoc links it and states no licence: ask
before any use beyond research. Layout:

    satellite_coordinates_range.csv    map, LT_lat, LT_lon, RB_lat, RB_lon
    <nn>/<nn>.csv                      number, filename, date, lat, lon, height, ..., heading, ...
    <nn>/drone/<nn>_xxxx.JPG   <nn>/satellite<nn>.tif    (about 0.3 m/px)

The heading is the last column but one (Phi1). Some copies spell the first file with a blank
before `coordinates`. Known faults: positions look like set-points, 24 to 48 m off on maps 2, 4,
10 and 11; map 7 is suspicious.

Tiles, positives and splits are those of Game4Loc (Yux1angJi/GTA-UAV): 256-px tiles without
overlap at a half and a quarter of the map's resolution, a tile being positive where its footprint
and the picture's share an IoU above 0.39 and semi-positive above 0.14; cross-area trains on maps
1 and 3 and tests on 2 and 4, same-area divides the pictures of those four at random (here: with a
fixed seed). The gallery is every tile of the four maps, and queries without a positive are left
out. The picture's fields of view are 52 deg across the heading and 36 deg along it: Game4Loc's
code has the same geometry under exchanged names. The footprint is that of a camera looking
straight down, the map's degrees are taken as linear in its pixels, both as Game4Loc does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.datasets.folders import PictureNames, need_folder
from export.datasets.footprints import iou, turned_rectangle
from export.datasets.retrieval_set import (
    Item,
    Protocol,
    RetrievalSet,
    TrainingSet,
    View,
)
from export.datasets.tile_cutting import Cut, cut_tiles, map_size
from export.datasets.uav_visloc_tables import Bounds, Shot, read_ranges, read_shots
from onboard.errors import InputError
from onboard.geodesy import curvature_radii_m

SIZE = (384, 384)
TILE_PX = 256
SCALES = (4, 2)  # map pixels to a tile pixel
POSITIVE_IOU = 0.39
SEMI_POSITIVE_IOU = 0.14
ACROSS_FOV = math.radians(52.0)  # the picture's width
ALONG_FOV = math.radians(36.0)  # the picture's height, towards the heading
TRAINING_MAPS, TEST_MAPS = ("01", "03"), ("02", "04")
TRAINING_SHARE = 0.8  # of the same-area split
SPLIT_SEED = 1
RANGE_FILES = ("satellite_coordinates_range.csv", "satellite_ coordinates_range.csv")
LAYOUT = "satellite_coordinates_range.csv and <nn>/{drone/, <nn>.csv, satellite<nn>.tif}"
DIRECTIONS = ("cross", "same")


@dataclass(frozen=True)
class _Pairs:
    queries: tuple[Item, ...]
    gallery: tuple[Item, ...]
    shares: tuple[dict[int, float], ...]  # per query: IoU by gallery index


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """The one set of 'cross' or 'same'."""
    return [read(root, work, direction)]


def read(root: Path, work: Path, split: str = "cross") -> RetrievalSet:
    """Test pictures -> tiles, which are cut into `work`.

    Raises InputError: a folder, map or table missing, a line that is none, a picture that is
    absent, no picture with a positive.
    """
    pairs = _pairs(root, work, split, training=False)
    kept = [i for i, own in enumerate(pairs.shares) if max(own.values(), default=0) > POSITIVE_IOU]
    if not kept:
        raise InputError(f"{root}: no picture's footprint meets a tile; check heights and corners")
    own = [pairs.shares[i] for i in kept]
    positives = [{j: v for j, v in s.items() if v > POSITIVE_IOU} for s in own]
    semi = [{j: v for j, v in s.items() if v <= POSITIVE_IOU} for s in own]
    return RetrievalSet(
        name=f"UAV-VisLoc {split}-area, drone -> satellite",
        protocol=Protocol.POSITIONS,
        query_view=View.DRONE,
        gallery_view=View.SATELLITE,
        query_size=SIZE,
        gallery_size=SIZE,
        queries=tuple(pairs.queries[i] for i in kept),
        gallery=pairs.gallery,
        positives=tuple(tuple(s) for s in positives),
        semi_positives=tuple(tuple(s) for s in semi),
        weights=tuple(tuple(s.values()) for s in positives),
        semi_weights=tuple(tuple(s.values()) for s in semi),
    )


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """The training half with every pair above 0.14, weighted by its IoU (Game4Loc's default)."""
    pairs = _pairs(root, work, direction, training=True)
    kept = [i for i, own in enumerate(pairs.shares) if own]
    if not kept:
        raise InputError(f"{root}: no picture's footprint meets a tile; check heights and corners")
    return TrainingSet(
        name=f"UAV-VisLoc training {direction}-area",
        query_view=View.DRONE,
        gallery_view=View.SATELLITE,
        query_size=SIZE,
        gallery_size=SIZE,
        queries=tuple(pairs.queries[i] for i in kept),
        gallery=pairs.gallery,
        positives=tuple(tuple(pairs.shares[i]) for i in kept),
        weights=tuple(tuple(pairs.shares[i].values()) for i in kept),
    )


def _pairs(root: Path, work: Path, split: str, training: bool) -> _Pairs:
    need_folder(root, LAYOUT)
    named = next((root / n for n in RANGE_FILES if (root / n).is_file()), root / RANGE_FILES[0])
    ranges = read_ranges(named)
    queries: list[Item] = []
    gallery: list[Item] = []
    shares: list[dict[int, float]] = []
    wanted = TRAINING_MAPS if training else TEST_MAPS
    for name in sorted({*TRAINING_MAPS, *TEST_MAPS}):
        if name not in ranges:
            raise InputError(f"{named}: has no line of map {name}; get the file again")
        tiles = _Tiles(root / name / f"satellite{name}.tif", work, name, ranges[name])
        first = len(gallery)
        gallery += tiles.items
        if split == "cross" and name not in wanted:
            continue
        table = root / name / f"{name}.csv"
        shots = read_shots(table)
        held = PictureNames(root / name / "drone", LAYOUT)
        if split == "same":
            order = np.random.default_rng((SPLIT_SEED, int(name))).permutation(len(shots))
            cut = round(TRAINING_SHARE * len(shots))
            shots = [shots[i] for i in sorted(order[:cut] if training else order[cut:])]
        for line, shot in shots:
            picture = held.need(shot.filename, f"{table}, line {line}")
            at = (shot.lat_deg, shot.lon_deg)
            width_m = 2 * shot.height_m * math.tan(ACROSS_FOV / 2)
            queries.append(Item(picture, picture.stem, at, width_m=width_m))
            shares.append({first + i: share for i, share in tiles.under(shot).items()})
    return _Pairs(tuple(queries), tuple(gallery), tuple(shares))


class _Tiles:
    """The tiles of one map: cut, with their places."""

    def __init__(self, path: Path, work: Path, name: str, bounds: Bounds) -> None:
        self._bounds = bounds
        self._width, self._height = map_size(path)
        deepest = math.ceil(math.log2(max(self._width, self._height) / TILE_PX))
        self._places: dict[tuple[int, int, int], int] = {}
        self.items: list[Item] = []
        cuts: list[Cut] = []
        for scale in SCALES:
            side = TILE_PX * scale
            level = deepest - int(math.log2(scale))
            for row in range(math.ceil(self._height / side)):
                for col in range(math.ceil(self._width / side)):
                    # Game4Loc's file names, so that tiles made by its scripts serve, too
                    file = work / "satellite" / f"{name}_{level}_{col:03d}_{row:03d}.png"
                    cuts.append(Cut(file, col * side, row * side, side, side, TILE_PX))
                    self._places[scale, col, row] = len(self.items)
                    centre = self._position((col + 0.5) * side, (row + 0.5) * side)
                    width_m = side * self._metres_per_px()[0]
                    self.items.append(Item(file, file.stem, centre, width_m=width_m))
        cut_tiles(path, cuts)

    def under(self, shot: Shot) -> dict[int, float]:
        """IoU above SEMI_POSITIVE_IOU of the tiles that the picture's footprint meets."""
        b = self._bounds
        x = (shot.lon_deg - b.left) / (b.right - b.left) * self._width
        y = (b.top - shot.lat_deg) / (b.top - b.bottom) * self._height
        across, along = (2 * shot.height_m * math.tan(f / 2) for f in (ACROSS_FOV, ALONG_FOV))
        east_m, north_m = self._metres_per_px()
        found: dict[int, float] = {}
        for scale in SCALES:
            side = TILE_PX * scale
            quad = turned_rectangle((0.0, 0.0), across, along, shot.heading)
            quad = (quad / (east_m, north_m) + (x, y)) / side
            low, high = np.floor(quad.min(0)).astype(int), np.floor(quad.max(0)).astype(int)
            for col in range(low[0], high[0] + 1):
                for row in range(low[1], high[1] + 1):
                    place = self._places.get((scale, col, row))
                    if place is not None:
                        tile = turned_rectangle((col + 0.5, row + 0.5), 1.0, 1.0, 0.0)
                        share = iou(tile, quad)
                        if share > SEMI_POSITIVE_IOU:
                            found[place] = share
        return found

    def _position(self, x: float, y: float) -> tuple[float, float]:
        b = self._bounds
        return (
            b.top - y / self._height * (b.top - b.bottom),
            b.left + x / self._width * (b.right - b.left),
        )

    def _metres_per_px(self) -> tuple[float, float]:
        """(east, north) at the map's middle latitude."""
        b = self._bounds
        lat_deg = (b.top + b.bottom) / 2
        meridian, vertical = curvature_radii_m(lat_deg)
        return (
            math.radians(b.right - b.left)
            * vertical
            * math.cos(math.radians(lat_deg))
            / self._width,
            math.radians(b.top - b.bottom) * meridian / self._height,
        )
