"""AnyVisLoc: 20,077 low-altitude, mostly oblique drone pictures of 24 scenes over 2.5-D maps.

Where from: the authors' repository UAV-AVL/Benchmark links it; non-commercial, not to be passed
on. Layout:

    Scene_XX/LXX_reference.json   modes.{aerial,satellite}.{map_path, map_resolution, ...}
    Scene_XX/{aerial,satellite}_map.png  (and *_dsm.npy, which only their PnP step needs)
    Scene_XX/LXX_NNNN.npz         image (RGB), K, xyz (m, local frame), euler_deg (roll, pitch, yaw)

Map column = (x - map_origin_local[0]) / map_resolution[0], row likewise with y. A query's place is
the ground under the picture's middle: its xyz moved along the view by height and pitch. Its square
middle is compared with tiles 1.5 times as wide as it, half overlapping, those with two fifths of
map pixels in them or more: all as the authors do.

Two departures, since the authors cut a new gallery for every query: pictures of a scene whose
tiles are equally wide within half an octave share one set, whose tiles have the middle width; and
where yaw is known (`yp`), the picture is turned north-up instead of the map turned to the picture.
With `p` it stays as it is. Cut tiles and query pictures are written to `work`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from export.datasets.anyvisloc_files import MapMode, Shot, picture_of, read_mode, read_shot
from export.datasets.folders import need_folder
from export.datasets.retrieval_set import Item, Protocol, RetrievalSet, TrainingSet, View
from export.datasets.tile_cutting import Cut, cut_tiles, map_size, write_png
from maps.progress import progress_s
from onboard.errors import InputError
from onboard.messages import Picture
from onboard.whole_file import make_folder

SIZE = (384, 384)
PATCH_SCALE = 1.5  # tile width over the query's
COVER = 0.5  # overlap of neighbouring tiles
MIN_MAP_SHARE = 0.4  # of a tile's pixels, others are outside the map (black)
OCTAVE_PARTS = 2  # widths of one set differ by less than 2^(1/2)
LAYOUT = "Scene_XX/{LXX_reference.json, *_map.png, LXX_NNNN.npz} of AnyVisLoc"
DIRECTIONS = ("aerial-yp", "aerial-p", "satellite-yp", "satellite-p")


@dataclass(frozen=True)
class _Query:
    file: Path
    shot: Shot
    width_m: float  # of the tiles that it asks for

    @property
    def part(self) -> int:
        """Which part of an octave its tile width falls into."""
        return math.floor(OCTAVE_PARTS * math.log2(self.width_m))


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """One set for each scene and tile width. direction: map and pose prior.

    Raises InputError: no scenes, a file missing or damaged, a map that holds no tile.
    """
    mode, _, prior = direction.partition("-")
    need_folder(root, LAYOUT)
    references = sorted(root.rglob("L??_reference.json"))
    if not references:
        raise InputError(f"{root}: no L??_reference.json in it; expected is {LAYOUT}")
    sets = []
    for reference in references:
        queries = _queries(reference)
        for part in sorted({q.part for q in queries}):
            own = [q for q in queries if q.part == part]
            sets.append(_set(reference, mode, prior, own, work))
    return sets


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """Raises InputError always: the set has no training part."""
    raise InputError("anyvisloc: is a test set without a training part; train on another set")


def _queries(reference: Path) -> list[_Query]:
    files = sorted(reference.parent.glob(f"{reference.name[:3]}_????.npz"))
    if not files:
        raise InputError(f"{reference.parent}: no {reference.name[:3]}_NNNN.npz; expected {LAYOUT}")
    queries = []
    for file in tqdm(files, desc=reference.parent.name, unit="picture", mininterval=progress_s()):
        shot = read_shot(file)
        queries.append(_Query(file, shot, PATCH_SCALE * shot.side_m))
    return queries


def _set(
    reference: Path, mode_name: str, prior: str, queries: list[_Query], work: Path
) -> RetrievalSet:
    mode = read_mode(reference, mode_name)
    scene = reference.parent.name
    width_m = 2 ** ((queries[0].part + 0.5) / OCTAVE_PARTS)
    gallery = _tiles(mode, width_m, work / scene / f"{mode_name}_{width_m:.0f}m")
    items = []
    for query in queries:
        file = work / scene / f"query_{prior}" / f"{query.file.stem}.png"
        if not file.is_file():
            make_folder(file.parent)
            write_png(file, _north_up(picture_of(query.file), query.shot, turn=prior == "yp"))
        at = query.shot.view_centre_m
        items.append(Item(file, query.file.stem, position_m=at, width_m=query.shot.side_m))
    places = np.array([item.position_m for item in gallery])
    nearest = [int(np.argmin(np.hypot(*(places - np.array(item.position_m)).T))) for item in items]
    return RetrievalSet(
        name=f"AnyVisLoc {scene} {mode_name}, prior {prior}, tiles of {width_m:.0f} m",
        protocol=Protocol.POSITIONS,
        query_view=View.DRONE,
        gallery_view=View.SATELLITE,
        query_size=SIZE,
        gallery_size=SIZE,
        queries=tuple(items),
        gallery=gallery,
        positives=tuple((i,) for i in nearest),
    )


def _tiles(mode: MapMode, width_m: float, folder: Path) -> tuple[Item, ...]:
    """Tiles of the map, but for those with hardly any map in them."""
    columns, rows = map_size(mode.map_path)
    res_x, res_y = mode.metres_per_px
    wide, high = min(columns, round(width_m / res_x)), min(rows, round(width_m / res_y))
    step_x, step_y = max(1, int(wide * (1 - COVER))), max(1, int(high * (1 - COVER)))
    cuts = []
    for y in sorted({min(y, rows - high) for y in range(0, rows, step_y)}):
        for x in sorted({min(x, columns - wide) for x in range(0, columns, step_x)}):
            cuts.append(Cut(folder / f"{x}_{y}.png", x, y, wide, high, SIZE[0]))
    cut_tiles(mode.map_path, cuts)
    items = []
    for cut in cuts:
        tile = cv2.imread(str(cut.file), cv2.IMREAD_COLOR)
        if tile is None:
            raise InputError(f"{cut.file}: this tile is damaged; remove it and run again")
        if (tile.max(2) > 0).mean() >= MIN_MAP_SHARE:
            at = (
                mode.origin_m[0] + (cut.x + wide / 2) * res_x,
                mode.origin_m[1] + (cut.y + high / 2) * res_y,
            )
            items.append(Item(cut.file, cut.file.stem, position_m=at, width_m=wide * res_x))
    if not items:
        raise InputError(f"{mode.map_path}: no tile of {width_m:.0f} m with map in it")
    return tuple(items)


def _north_up(picture: Picture, shot: Shot, turn: bool) -> Picture:
    """The square middle, turned clockwise by the yaw where asked for, at the field's size."""
    height, width = picture.shape[:2]
    side = min(height, width)
    scale = SIZE[0] / side
    centre = (width / 2, height / 2)
    angle = -shot.yaw_deg if turn else 0.0
    m = np.array(cv2.getRotationMatrix2D(centre, angle, scale), np.float64)
    m[:, 2] += SIZE[0] / 2 - np.array(centre)
    # smaller first, so that the turn does not skip pixels
    halvings = max(0, round(math.log2(1 / scale)))
    for _ in range(halvings):
        picture = np.asarray(cv2.pyrDown(picture), np.uint8)
    m[:, :2] *= 2**halvings
    out = cv2.warpAffine(picture, m, SIZE[::-1], flags=cv2.INTER_LINEAR)
    return np.asarray(out, np.uint8)
