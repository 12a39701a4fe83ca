"""CVUSA: street panoramas all over the USA, each with one satellite picture.

Where from: the authors hand it out on request (MVRL, Workman et al. 2015; the aligned subset of
Zhai et al. 2017); academic use. Layout:

    splits/{train,val}-19zl.csv     satellite path, ground path, annotation path; no header
    bingmap/19/*.jpg  streetview/panos/*.jpg     (as the paths of the lists say)

35,532 pairs train, 8,884 are tested one to one; the id is the picture's stem.
"""

from __future__ import annotations

from pathlib import Path

from export.datasets.folders import PictureNames, need_folder
from export.datasets.retrieval_set import Item, Protocol, RetrievalSet, TrainingSet, View
from export.datasets.text_files import need_columns, read_csv
from onboard.errors import InputError

GROUND_SIZE = (140, 768)  # of 224 x 1232, as Sample4Geo resizes it
SATELLITE_SIZE = (384, 384)
LAYOUT = "splits/train-19zl.csv, splits/val-19zl.csv and the folders that they name, of CVUSA"
DIRECTIONS = ("val",)
_COLUMNS = "satellite path, ground path"


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """The one test set."""
    return [read(root)]


def read(root: Path) -> RetrievalSet:
    """The 8,884 pairs under test, ground -> satellite.

    Raises InputError: a list missing, a line with too few columns, a picture absent.
    """
    queries, gallery = _pairs(root, "val")
    return RetrievalSet(
        name="CVUSA ground -> satellite",
        protocol=Protocol.PAIRS,
        query_view=View.GROUND,
        gallery_view=View.SATELLITE,
        query_size=GROUND_SIZE,
        gallery_size=SATELLITE_SIZE,
        queries=queries,
        gallery=gallery,
        positives=tuple((i,) for i in range(len(queries))),
    )


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """The pairs to train on; errors as in `read`."""
    queries, gallery = _pairs(root, "train")
    return TrainingSet(
        name="CVUSA training",
        query_view=View.GROUND,
        gallery_view=View.SATELLITE,
        query_size=GROUND_SIZE,
        gallery_size=SATELLITE_SIZE,
        queries=queries,
        gallery=gallery,
        positives=tuple((i,) for i in range(len(queries))),
    )


def _pairs(root: Path, split: str) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    need_folder(root, LAYOUT)
    path = root / "splits" / f"{split}-19zl.csv"
    folders: dict[Path, PictureNames] = {}
    queries: list[Item] = []
    gallery: list[Item] = []
    seen: set[str] = set()
    for line, cells in read_csv(path):
        need_columns(path, line, cells, 2, _COLUMNS)
        where = f"{path}, line {line}"
        satellite, ground = (Path(cell.replace("\\", "/")) for cell in cells[:2])
        label = satellite.stem
        if label in seen:
            raise InputError(f"{where}: '{label}' is there twice; delete one of the lines")
        seen.add(label)
        for named, items in ((satellite, gallery), (ground, queries)):
            folder = root / named.parent
            if folder not in folders:
                folders[folder] = PictureNames(folder, LAYOUT)
            items.append(Item(folders[folder].need(named.name, where), label))
    return tuple(queries), tuple(gallery)
