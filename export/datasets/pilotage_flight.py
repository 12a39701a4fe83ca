"""Own data: a flight's pictures, as onboard sees them, against the tiles of a map pack.

Layout of the folder (the pack as `pilotage map build` makes it):

    reference.csv     file, rel_alt_m, yaw_deg, pitch_deg, roll_deg, centre_lat_deg, centre_lon_deg
                      and others that are passed over; the height above ground may be agl_m
    camera.toml       the camera file that `pilotage replay --camera` takes
    photos/ or frames/    the pictures
    *.pack            one map pack of the area

A query is the north-up view that `onboard.rectify` makes with the line's height and attitude, at
the level that onboard would choose; each level is a set of its own. A tile is positive where its
ground and the view's share an IoU above 0.39, semi-positive above 0.14 (Game4Loc's limits; tiles
overlap by half, so that every view inside the map has a positive). Pictures that onboard refuses
(too oblique, too low) are left out, and the set's name says how many. Views and tiles are written
to `work`, under names that change with what they are made from.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from export.datasets.folders import PictureNames, need_folder
from export.datasets.picture_file import read_picture
from export.datasets.retrieval_set import Item, Protocol, RetrievalSet, TrainingSet, View
from export.datasets.text_files import number, position, read_csv
from export.datasets.tile_cutting import write_png
from maps.progress import progress_s
from onboard.camera import Camera
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX, TILE_STRIDE_PX, Frame, Refusal
from onboard.pack.map_pack import MapPack
from onboard.rectify import choose_level, rectify
from onboard.settings import load_settings
from onboard.telemetry_messages import Attitude, Height
from onboard.whole_file import make_folder

POSITIVE_IOU = 0.39
SEMI_POSITIVE_IOU = 0.14
LAYOUT = "reference.csv, camera.toml, photos/ or frames/ and one map pack (*.pack)"
DIRECTIONS = ("view-tile",)
_COLUMNS = ("file", "yaw_deg", "pitch_deg", "roll_deg", "centre_lat_deg", "centre_lon_deg")
_HEIGHTS = ("rel_alt_m", "agl_m")


@dataclass(frozen=True)
class _Shot:
    """One line; angles in rad."""

    picture: Path
    agl_m: float
    roll: float
    pitch: float
    yaw: float
    centre: tuple[float, float]


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """One set a level that onboard would choose for some picture, coarsest first.

    Raises InputError: a file or column missing, a line that is none, no pack or several, a
    camera file or pack that is damaged, not one picture with a view of the map.
    """
    need_folder(root, LAYOUT)
    packs = sorted(p for p in root.glob("*.pack") if p.is_dir())
    if len(packs) != 1:
        raise InputError(f"{root}: holds {len(packs)} map packs (*.pack); it must hold one")
    camera = load_settings(root / "camera.toml", Camera)
    shots = _read_shots(root)
    pack = MapPack.open(packs[0])
    by_level: dict[int, list[_Shot]] = defaultdict(list)
    for shot in shots:
        by_level[choose_level(pack.levels, shot.agl_m, camera, shot.centre[0])].append(shot)
    found = [_set(pack, camera, level, by_level[level], work) for level in sorted(by_level)]
    sets = [s for s in found if s is not None]
    if not sets:
        raise InputError(
            f"{root}: no picture has a view of {packs[0].name}; check camera.toml and the pack"
        )
    return sets


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """Raises InputError always: the set has no training part."""
    raise InputError(f"{root}: a flight is a test set without a training part; train on another")


def _set(
    pack: MapPack, camera: Camera, level: int, shots: list[_Shot], work: Path
) -> RetrievalSet | None:
    """None when not one picture has a view."""
    queries, positives, semi = [], [], []
    tiles = pack.tiles(level)
    cols, rows = tiles.cols.tolist(), tiles.rows.tolist()
    places = {(c, r): i for i, (c, r) in enumerate(zip(cols, rows, strict=True))}
    for shot in tqdm(shots, desc=f"views at level {level}", unit="view", mininterval=progress_s()):
        file = _view(shot, camera, level, work)
        if file is None:
            continue
        side_m = TILE_PX * pixel_size_m(shot.centre[0], level)[0]
        queries.append(Item(file, shot.picture.stem, shot.centre, width_m=side_m))
        shares = _shares(shot.centre, level, places)
        positives.append({i: v for i, v in shares.items() if v > POSITIVE_IOU})
        semi.append({i: v for i, v in shares.items() if v <= POSITIVE_IOU})
    if not queries:
        return None
    refused = len(shots) - len(queries)
    return RetrievalSet(
        name=f"{pack.path.name} level {level}, views -> tiles"
        + (f", {refused} pictures without a view left out" if refused else ""),
        protocol=Protocol.POSITIONS,
        query_view=View.DRONE,
        gallery_view=View.SATELLITE,
        query_size=(TILE_PX, TILE_PX),
        gallery_size=(TILE_PX, TILE_PX),
        queries=tuple(queries),
        gallery=_gallery(pack, level, work),
        positives=tuple(tuple(p) for p in positives),
        semi_positives=tuple(tuple(s) for s in semi),
        weights=tuple(tuple(p.values()) for p in positives),
        semi_weights=tuple(tuple(s.values()) for s in semi),
    )


def _view(shot: _Shot, camera: Camera, level: int, work: Path) -> Path | None:
    """The view's file, made unless it is there; None where onboard refuses the picture."""
    made_from = repr((shot, camera, level)).encode()
    digest = hashlib.sha256(made_from).hexdigest()[:12]
    file = work / "views" / f"{shot.picture.stem}_{digest}.png"
    if file.is_file():
        return file
    view = rectify(
        Frame(0, read_picture(shot.picture), shot.picture.name),
        Attitude(0, shot.roll, shot.pitch, shot.yaw),
        Height(0, shot.agl_m),
        camera,
        level,
        shot.centre[0],
    )
    if isinstance(view, Refusal):
        return None
    make_folder(file.parent)
    write_png(file, view.picture)
    return file


def _shares(
    centre: tuple[float, float], level: int, places: dict[tuple[int, int], int]
) -> dict[int, float]:
    """IoU above SEMI_POSITIVE_IOU of the tiles around a view; both are squares of TILE_PX."""
    x, y = (float(v) - TILE_PX / 2 for v in latlon_to_pixel(*centre, level))
    found: dict[int, float] = {}
    col0, row0 = math.floor(x / TILE_STRIDE_PX), math.floor(y / TILE_STRIDE_PX)
    for col in range(col0 - 1, col0 + 3):
        for row in range(row0 - 1, row0 + 3):
            across = TILE_PX - abs(col * TILE_STRIDE_PX - x)
            down = TILE_PX - abs(row * TILE_STRIDE_PX - y)
            shared = max(across, 0.0) * max(down, 0.0)
            share = shared / (2 * TILE_PX**2 - shared)
            if share > SEMI_POSITIVE_IOU and (col, row) in places:
                found[places[col, row]] = share
    return found


def _gallery(pack: MapPack, level: int, work: Path) -> tuple[Item, ...]:
    tiles = pack.tiles(level)
    imagery = hashlib.sha256(repr(pack.manifest.files).encode()).hexdigest()[:12]
    folder = work / "tiles" / imagery
    make_folder(folder)
    items = []
    for i in tqdm(
        range(len(tiles)), desc=f"tiles of level {level}", unit="tile", mininterval=progress_s()
    ):
        tile = tiles.tile_id(i)
        file = folder / f"{tile.level}_{tile.col}_{tile.row}.png"
        if not file.is_file():
            write_png(file, pack.tile_picture(tile))
        lat_deg, lon_deg = (float(v) for v in pixel_to_latlon(*tile.centre_px, level))
        side_m = TILE_PX * pixel_size_m(lat_deg, level)[0]
        items.append(Item(file, str(tile), (lat_deg, lon_deg), width_m=side_m))
    return tuple(items)


def _read_shots(root: Path) -> list[_Shot]:
    path = root / "reference.csv"
    (_, header), *rows = read_csv(path)
    height = next((h for h in _HEIGHTS if h in header), None)
    missing = [c for c in _COLUMNS if c not in header] + ([] if height else [_HEIGHTS[0]])
    if missing or height is None:
        raise InputError(f"{path}: column '{missing[0]}' is missing; expected is {LAYOUT}")
    inner = (root / name for name in ("photos", "frames"))
    held = PictureNames(next((p for p in inner if p.is_dir()), root), LAYOUT)
    shots = []
    for line, cells in rows:
        where = f"{path}, line {line}"
        if len(cells) < len(header):
            raise InputError(f"{where}: {len(cells)} cells under {len(header)} columns; fill it in")
        row = dict(zip(header, cells, strict=False))
        agl_m, roll, pitch, yaw = (
            number(row[c], f"{where}, {c}") for c in (height, "roll_deg", "pitch_deg", "yaw_deg")
        )
        if agl_m <= 0:
            raise InputError(f"{where}, {height}: {agl_m} m is not above ground; correct it")
        shots.append(
            _Shot(
                picture=held.need(Path(row["file"]).name, where),
                agl_m=agl_m,
                roll=math.radians(roll),
                pitch=math.radians(pitch),
                yaw=math.radians(yaw),
                centre=position(row["centre_lat_deg"], row["centre_lon_deg"], where),
            )
        )
    if not shots:
        raise InputError(f"{path}: a header but no rows; give one row a picture")
    return shots
