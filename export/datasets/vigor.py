"""VIGOR: street panoramas of four US cities and overlapping satellite tiles.

Where from: the authors hand the pictures out on request (repository Jeff-Zilence/VIGOR, code
MIT); academic research only, not to be passed on. Two label sets: the authors' own `splits`, and
the labels that SliceMatch (CVPR 2023) corrected for a wrong ground resolution, `splits_new` or
`splits__corrected`: name which one a figure belongs to. Layout:

    <City>/{panorama,satellite}/*     or, as Sample4Geo keeps them, {ground,satellite}/<City>/*
    <splits>/<City>/{satellite_list, same_area_balanced_train, same_area_balanced_test,
                     pano_label_balanced}.txt     (corrected ones may end in __corrected.txt)

A label line has 13 words: the panorama, then four times satellite, d_row, d_col: the primary tile
and three semi-positives. In a tile of 640 px the camera stands at column 320 - d_col and row
320 + d_row. Same-area trains and tests on all four cities; cross-area trains on New York and
Seattle and tests on San Francisco and Chicago. The gallery is every tile of the test cities.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.datasets.folders import PictureNames, need_folder
from export.datasets.retrieval_set import (
    Item,
    Protocol,
    RetrievalSet,
    TileTruth,
    TrainingSet,
    View,
)
from export.datasets.text_files import number, position, read_lines
from onboard.errors import InputError

GROUND_SIZE = (384, 768)  # Sample4Geo, UnifyGeo
SATELLITE_SIZE = (384, 384)
TILE_PX = 640
WORDS = 13
CITIES = ("Chicago", "NewYork", "SanFrancisco", "Seattle")
TRAINING_CITIES = {"same": CITIES, "cross": ("NewYork", "Seattle")}
TEST_CITIES = {"same": CITIES, "cross": ("SanFrancisco", "Chicago")}
# of a zoom-20 tile of 640 px at each city's latitude (SliceMatch)
METRES_PER_PX = {
    "NewYork": 0.113248,
    "Seattle": 0.100817,
    "SanFrancisco": 0.118141,
    "Chicago": 0.111262,
}
LABEL_FOLDERS = {"corrected": ("splits_new", "splits__corrected"), "original": ("splits",)}
LAYOUT = "<City>/{panorama,satellite}/* and splits_new/<City>/*.txt of VIGOR"
DIRECTIONS = ("same", "cross", "same-original", "cross-original")


@dataclass(frozen=True)
class Label:
    """One line: offsets are (d_row, d_col) in pixels of a 640-px tile; the first tile is the
    primary one."""

    panorama: str
    tiles: tuple[str, str, str, str]
    offsets_px: tuple[tuple[float, float], ...]


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """The one set of a split ('same' or 'cross', corrected labels unless '-original')."""
    split, _, original = direction.partition("-")
    return [read(root, split, "original" if original else "corrected")]


def read(root: Path, split: str = "same", labels: str = "corrected") -> RetrievalSet:
    """The test half of a split, with the camera's place in each primary tile.

    Raises InputError: a folder or label file missing, a line that is none, one that names a
    picture or a tile that is not there.
    """
    file = "same_area_balanced_test" if split == "same" else "pano_label_balanced"
    found = _Cities(root, labels, TEST_CITIES[split], file)
    return RetrievalSet(
        name=f"VIGOR {split}-area, {labels} labels",
        protocol=Protocol.TILES,
        query_view=View.GROUND,
        gallery_view=View.SATELLITE,
        query_size=GROUND_SIZE,
        gallery_size=SATELLITE_SIZE,
        queries=tuple(found.queries),
        gallery=tuple(found.gallery),
        positives=tuple(found.positives),
        semi_positives=tuple(found.semi_positives),
        truths=tuple(found.truths),
    )


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """The training half; a panorama's label is its primary tile, which several may share."""
    split, _, original = direction.partition("-")
    file = "same_area_balanced_train" if split == "same" else "pano_label_balanced"
    labels = "original" if original else "corrected"
    found = _Cities(root, labels, TRAINING_CITIES[split], file)
    return TrainingSet(
        name=f"VIGOR training {split}-area, {labels} labels",
        query_view=View.GROUND,
        gallery_view=View.SATELLITE,
        query_size=GROUND_SIZE,
        gallery_size=SATELLITE_SIZE,
        queries=tuple(found.queries),
        gallery=tuple(found.gallery),
        positives=tuple(found.positives),
        semi_positives=tuple(found.semi_positives),
        truths=tuple(found.truths),
    )


def parse_label(text: str, where: str) -> Label:
    """One line of a label file. Raises InputError: not 13 words, an offset that is no number."""
    words = text.split()
    if len(words) != WORDS:
        raise InputError(
            f"{where}: {len(words)} words where 13 are due (panorama, then four times satellite, "
            "d_row, d_col); correct the line or get the labels again"
        )
    return Label(
        words[0],
        (words[1], words[4], words[7], words[10]),
        tuple(
            (number(words[i + 1], where), number(words[i + 2], where)) for i in range(1, WORDS, 3)
        ),
    )


def panorama_position(name: str, where: str) -> tuple[float, float]:
    """(lat, lon) of '<prefix>,<lat>,<lon>,.jpg'. Raises InputError."""
    parts = name.split(",")
    if len(parts) < 4:
        raise InputError(f"{where}: '{name}' is not '<prefix>,<latitude>,<longitude>,.jpg'")
    return position(parts[-3], parts[-2], where)


def tile_position(name: str, where: str) -> tuple[float, float]:
    """(lat, lon) of 'satellite_<lat>_<lon>.png', the tile's centre. Raises InputError."""
    parts = Path(name).stem.split("_")
    if len(parts) != 3:
        raise InputError(f"{where}: '{name}' is not 'satellite_<latitude>_<longitude>.png'")
    return position(parts[1], parts[2], where)


class _Cities:
    """Labels and pictures of some cities, joined."""

    def __init__(self, root: Path, labels: str, cities: tuple[str, ...], file: str) -> None:
        self.queries: list[Item] = []
        self.gallery: list[Item] = []
        self.positives: list[tuple[int, ...]] = []
        self.semi_positives: list[tuple[int, ...]] = []
        self.truths: list[TileTruth] = []
        need_folder(root, LAYOUT)
        names = LABEL_FOLDERS[labels]
        splits = next((root / n for n in names if (root / n).is_dir()), root / names[0])
        need_folder(splits, f"the {labels} labels, <City>/*.txt")
        for city in cities:
            self._add(root, splits / city, city, file)

    def _add(self, root: Path, splits: Path, city: str, file: str) -> None:
        tiles = PictureNames(_view_folder(root, city, "satellite"), LAYOUT)
        panoramas = PictureNames(_view_folder(root, city, "panorama"), LAYOUT)
        places: dict[str, int] = {}
        listed = splits / "satellite_list.txt"
        for n, name in read_lines(listed):
            if name in places:
                continue
            where = f"{listed}, line {n}"
            places[name] = len(self.gallery)
            path = tiles.need(name, where)
            width_m = METRES_PER_PX[city] * TILE_PX
            self.gallery.append(Item(path, name, tile_position(name, where), width_m=width_m))
        corrected = splits / f"{file}__corrected.txt"
        path = corrected if corrected.is_file() else splits / f"{file}.txt"
        for n, text in read_lines(path):
            where = f"{path}, line {n}"
            label = parse_label(text, where)
            for tile in label.tiles:
                if tile not in places:
                    raise InputError(
                        f"{where}: names '{tile}', which {listed} lacks; get both anew"
                    )
            picture = panoramas.need(label.panorama, where)
            at = panorama_position(label.panorama, where)
            self.queries.append(Item(picture, label.tiles[0], at))
            own, *semi = (places[tile] for tile in label.tiles)
            self.positives.append((own,))
            self.semi_positives.append(tuple(semi))
            row, col = label.offsets_px[0]
            self.truths.append(
                TileTruth(TILE_PX / 2 - col, TILE_PX / 2 + row, TILE_PX, METRES_PER_PX[city])
            )


def _view_folder(root: Path, city: str, view: str) -> Path:
    """The authors' <City>/<view>, or Sample4Geo's <view>/<City>, where panoramas are 'ground'."""
    swapped = root / ("ground" if view == "panorama" else view) / city
    return swapped if swapped.is_dir() else root / city / view
