"""DenseUAV: dense drone pictures of 14 campuses from 80, 90 and 100 m, and satellite pictures.

Where from: the authors hand it out on request (repository Dmmm1997/DenseUAV, code Apache-2.0);
academic use only. Layout:

    train/{drone,satellite}/<6-digit id>/{H80,H90,H100}.JPG, .tif, *_old.tif
    test/{query,gallery}_{drone,satellite}/<6-digit id>/*
    Dense_GPS_{ALL,train,test}.txt

A line of the text files is `path E<longitude> N<latitude> height`, the height above ground. The
position belongs to the folder of the path, and the last line of a folder wins, as in the
authors' code.
"""

from __future__ import annotations

from pathlib import Path

from export.datasets.class_folders import items_by_id, training_by_label
from export.datasets.folders import need_folder
from export.datasets.retrieval_set import (
    Item,
    Protocol,
    RetrievalSet,
    TrainingSet,
    View,
    same_label,
)
from export.datasets.text_files import position, read_lines
from onboard.errors import InputError

SIZE = (384, 384)  # the authors' baseline took 224
VIEWS = {"drone": View.DRONE, "satellite": View.SATELLITE}
LAYOUT = "train/<view>/<id>/*, test/{query,gallery}_<view>/<id>/* and Dense_GPS_ALL.txt of DenseUAV"
DIRECTIONS = ("drone-satellite", "satellite-drone")
Positions = dict[str, tuple[float, float]]


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """The one set of a direction."""
    query, gallery = direction.split("-")
    return [read(root, query, gallery)]


def read(root: Path, query: str = "drone", gallery: str = "satellite") -> RetrievalSet:
    """The test split, `query` and `gallery` of drone and satellite; every item has a position.

    Raises InputError: a folder missing or empty, a line that is none, an id without position.
    """
    need_folder(root, LAYOUT)
    file = root / "Dense_GPS_ALL.txt"
    positions = read_positions(file)
    queries = _placed(items_by_id(root / "test" / f"query_{query}", LAYOUT), positions, file)
    found = _placed(items_by_id(root / "test" / f"gallery_{gallery}", LAYOUT), positions, file)
    return RetrievalSet(
        name=f"DenseUAV {query} -> {gallery}",
        protocol=Protocol.POSITIONS,
        query_view=VIEWS[query],
        gallery_view=VIEWS[gallery],
        query_size=SIZE,
        gallery_size=SIZE,
        queries=queries,
        gallery=found,
        positives=same_label(queries, found),
    )


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """The training split, with positions (for GPS sampling); errors as in `read`."""
    need_folder(root, LAYOUT)
    query, gallery = direction.split("-")
    both = (root / f"Dense_GPS_{part}.txt" for part in ("train", "ALL"))
    file = next((f for f in both if f.is_file()), root / "Dense_GPS_ALL.txt")
    positions = read_positions(file)
    return training_by_label(
        f"DenseUAV training {query} -> {gallery}",
        (VIEWS[query], VIEWS[gallery]),
        SIZE,
        _placed(items_by_id(root / "train" / query, LAYOUT), positions, file),
        _placed(items_by_id(root / "train" / gallery, LAYOUT), positions, file),
    )


def read_positions(path: Path) -> Positions:
    """(lat, lon) by folder name, the last line of each winning."""
    return dict(parse_line(text, f"{path}, line {n}") for n, text in read_lines(path))


def parse_line(text: str, where: str) -> tuple[str, tuple[float, float]]:
    """Folder name and (lat, lon) of one line. Raises InputError: not of the form."""
    words = text.split()
    folders = words[0].replace("\\", "/").split("/") if words else []
    if len(words) < 3 or len(folders) < 2 or words[1][:1] != "E" or words[2][:1] != "N":
        raise InputError(
            f"{where}: not 'path E<longitude> N<latitude> height' with an id's folder in the "
            "path; correct the line or get the data set again"
        )
    return folders[-2], position(words[2][1:], words[1][1:], where)


def _placed(items: tuple[Item, ...], positions: Positions, file: Path) -> tuple[Item, ...]:
    for item in items:
        if item.label not in positions:
            raise InputError(
                f"{file}: tells no position of {item.label}, the folder of {item.picture}; "
                "get the data set again"
            )
    return tuple(Item(i.picture, i.label, positions[i.label]) for i in items)
