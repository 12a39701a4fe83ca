"""SUES-200: 200 places in Shanghai from four heights and from a satellite.

Where from: the authors' repository Reza-Zhu/SUES-200-Benchmark (MIT) links it; the imagery is for
research. Two layouts, told apart by the folder Testing:

    as handed out   satellite-view/<0001..0200>/0.png
                    drone_view_512/<id>/<150|200|250|300>/*.jpg   (50 each)
    as split        Training/<height>/{drone,satellite}/<id>/*
                    Testing/<height>/{query,gallery}_{drone,satellite}/<id>/*

120 ids train, the 80 others are queries, and **the gallery holds all 200**. Each height is a set
of its own; the field reports each and their mean.
"""

from __future__ import annotations

from pathlib import Path

from export.datasets.class_folders import items_by_id, training_by_label
from export.datasets.folders import need_folder, pictures
from export.datasets.retrieval_set import (
    Item,
    Protocol,
    RetrievalSet,
    TrainingSet,
    View,
    same_label,
)
from onboard.errors import InputError

SIZE = (384, 384)
HEIGHTS_M = (150, 200, 250, 300)
PLACES = tuple(f"{n:04d}" for n in range(1, 201))
# The authors' fixed list, script/indexs.yaml of Reza-Zhu/SUES-200-Benchmark at 0f8616b (MIT),
# as ranges of ids.
_TRAINING_RANGES = (
    *((1, 7), (9, 11), (13, 13), (15, 16), (20, 21), (24, 34), (36, 37), (39, 39), (43, 45)),
    *((51, 51), (55, 58), (60, 60), (64, 64), (66, 67), (69, 70), (73, 74), (76, 77), (80, 82)),
    *((84, 91), (94, 94), (96, 97), (100, 106), (113, 113), (116, 116), (118, 120), (123, 123)),
    *((125, 127), (129, 129), (132, 132), (134, 134), (137, 137), (139, 139), (141, 142)),
    *((145, 149), (151, 152), (155, 160), (163, 163), (166, 169), (171, 171), (174, 174)),
    *((179, 180), (182, 187), (191, 193), (196, 200)),
)
TRAINING_PLACES = tuple(f"{n:04d}" for a, b in _TRAINING_RANGES for n in range(a, b + 1))
TEST_PLACES = tuple(p for p in PLACES if p not in TRAINING_PLACES)
VIEWS = {"drone": View.DRONE, "satellite": View.SATELLITE}
LAYOUT = (
    "satellite-view/<id>/0.png with drone_view_512/<id>/<height>/*.jpg, or Training and Testing "
    "with <height>/..., of SUES-200"
)
_BOTH = ("drone-satellite", "satellite-drone")
DIRECTIONS = (*_BOTH, *(f"{d}@{height}" for d in _BOTH for height in HEIGHTS_M))


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """One set a height, or the one that `direction` names after an @."""
    views, _, height = direction.partition("@")
    query, gallery = views.split("-")
    heights = (int(height),) if height else HEIGHTS_M
    return [read(root, query, gallery, height_m) for height_m in heights]


def read(
    root: Path, query: str = "drone", gallery: str = "satellite", height_m: int = 150
) -> RetrievalSet:
    """The test split at one height, `query` and `gallery` of drone and satellite.

    Raises InputError: neither layout, a place or its pictures missing.
    """
    need_folder(root, LAYOUT)
    if (root / "Testing").is_dir():
        base = root / "Testing" / str(height_m)
        queries = items_by_id(base / f"query_{query}", LAYOUT)
        found = items_by_id(base / f"gallery_{gallery}", LAYOUT)
    else:
        queries = _as_handed_out(root, query, height_m, TEST_PLACES)
        found = _as_handed_out(root, gallery, height_m, PLACES)
    return RetrievalSet(
        name=f"SUES-200 {query} -> {gallery} at {height_m} m",
        protocol=Protocol.CLASSES,
        query_view=VIEWS[query],
        gallery_view=VIEWS[gallery],
        query_size=SIZE,
        gallery_size=SIZE,
        queries=queries,
        gallery=found,
        positives=same_label(queries, found),
    )


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """The training split: drone pictures of all heights, or of the one after an @, whichever
    way the direction points."""
    need_folder(root, LAYOUT)
    height = direction.partition("@")[2]
    heights = (int(height),) if height else HEIGHTS_M
    queries: list[Item] = []
    for height_m in heights:
        if (root / "Training").is_dir():
            base = root / "Training" / str(height_m)
            queries += items_by_id(base / "drone", LAYOUT)
            gallery = items_by_id(base / "satellite", LAYOUT)  # the same at every height
        else:
            queries += _as_handed_out(root, "drone", height_m, TRAINING_PLACES)
            gallery = _as_handed_out(root, "satellite", height_m, TRAINING_PLACES)
    name = "SUES-200 training" + (f" at {height} m" if height else "")
    return training_by_label(name, (View.DRONE, View.SATELLITE), SIZE, tuple(queries), gallery)


def _as_handed_out(
    root: Path, view: str, height_m: int, places: tuple[str, ...]
) -> tuple[Item, ...]:
    if view == "satellite":
        folders = {place: root / "satellite-view" / place for place in places}
    else:
        base = next((p for p in sorted(root.glob("drone*")) if p.is_dir()), None)
        if base is None:
            raise InputError(f"{root}: no folder drone_view_512; expected is {LAYOUT}")
        folders = {place: base / place / str(height_m) for place in places}
    return tuple(
        Item(picture, place)
        for place, folder in folders.items()
        for picture in pictures(folder, LAYOUT)
    )
