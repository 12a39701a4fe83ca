"""CVACT: street panoramas of Canberra, each with one satellite picture.

Where from: the authors hand it out on request (repository Liumouliu/OriCNN); academic use.
Layout:

    ACT_data.mat      panoIds, utm, trainSet.trainInd, valSet.valInd (both counted from 1)
    ANU_data_small/{streetview/<id>_grdView.jpg, satview_polish/<id>_satView_polish.jpg}
    ANU_data_test/ the same

`val` is 8,884 pairs one to one. `test` is 92,802, the ids that both test folders hold: one to one
as Sample4Geo counts it; with the 5-m rule (`test-5m`) as the authors do, every reference within
5 m of the query is right. The handed-out set lacks a few of the listed pictures; as in the
authors' code such pairs are left out, and the set's name says how many.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.datasets.folders import PictureNames, need_folder
from export.datasets.retrieval_set import (
    Indexes,
    Item,
    Protocol,
    RetrievalSet,
    TrainingSet,
    View,
)
from onboard.errors import InputError

GROUND_SIZE = (140, 768)
SATELLITE_SIZE = (384, 384)
NEAR_M = 5.0  # the authors' rule for the test split
MAX_ABSENT_SHARE = 0.01  # of the listed pairs; more is a broken copy
GROUND_ENDING, SATELLITE_ENDING = "_grdView", "_satView_polish"
LAYOUT = "ACT_data.mat, ANU_data_small and ANU_data_test of CVACT"
DIRECTIONS = ("val", "test", "test-5m")


@dataclass(frozen=True)
class Listed:
    """ACT_data.mat. utm_m: (east, north) by id. training, validation: ids in their order."""

    utm_m: dict[str, tuple[float, float]]
    training: tuple[str, ...]
    validation: tuple[str, ...]


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """The one set of 'val', 'test' or 'test-5m'."""
    split, _, near = direction.partition("-")
    return [read(root, split, near_rule=bool(near))]


def read(root: Path, split: str = "val", near_rule: bool = False) -> RetrievalSet:
    """`split` 'val' or 'test', ground -> satellite.

    Raises InputError: a folder missing, ACT_data.mat missing or damaged, too many pictures
    absent, a test id without position where the 5-m rule needs one.
    """
    need_folder(root, LAYOUT)
    ids: tuple[str, ...] | None = None
    utm_m: dict[str, tuple[float, float]] = {}
    if split == "val" or near_rule:
        listed = read_mat(root / "ACT_data.mat")
        ids, utm_m = listed.validation if split == "val" else None, listed.utm_m
    folder = root / ("ANU_data_small" if split == "val" else "ANU_data_test")
    queries, gallery, absent = _pairs(folder, ids, utm_m)
    if near_rule:
        for item in queries:
            if item.position_m is None:
                raise InputError(
                    f"{root / 'ACT_data.mat'}: has no utm of {item.label}; get it anew"
                )
        positives = _near(queries)
    else:
        positives = tuple((i,) for i in range(len(queries)))
    rule = ", within 5 m" if near_rule else ""
    lacking = f", {absent} pairs without pictures left out" if absent else ""
    return RetrievalSet(
        name=f"CVACT {split}{rule}, ground -> satellite{lacking}",
        protocol=Protocol.PAIRS,
        query_view=View.GROUND,
        gallery_view=View.SATELLITE,
        query_size=GROUND_SIZE,
        gallery_size=SATELLITE_SIZE,
        queries=queries,
        gallery=gallery,
        positives=positives,
    )


def read_training(root: Path, direction: str, work: Path) -> TrainingSet:
    """The pairs to train on; errors as in `read`."""
    need_folder(root, LAYOUT)
    listed = read_mat(root / "ACT_data.mat")
    queries, gallery, absent = _pairs(root / "ANU_data_small", listed.training, listed.utm_m)
    return TrainingSet(
        name="CVACT training" + (f", {absent} pairs without pictures left out" if absent else ""),
        query_view=View.GROUND,
        gallery_view=View.SATELLITE,
        query_size=GROUND_SIZE,
        gallery_size=SATELLITE_SIZE,
        queries=queries,
        gallery=gallery,
        positives=tuple((i,) for i in range(len(queries))),
    )


def read_mat(path: Path) -> Listed:
    """Raises InputError: absent, no MATLAB 5 file, a variable missing or of another shape."""
    from scipy.io import loadmat

    if not path.is_file():
        raise InputError(f"{path}: no such file; expected is {LAYOUT}")
    try:
        held: dict[str, Any] = loadmat(
            path, variable_names=["panoIds", "utm", "trainSet", "valSet"]
        )
        ids = [str(np.ravel(i)[0]) if np.ndim(i) else str(i) for i in held["panoIds"]]
        east, north = np.asarray(held["utm"], np.float64).T[:2]
        at = dict(zip(ids, zip(east.tolist(), north.tolist(), strict=True), strict=True))
        training = np.ravel(held["trainSet"]["trainInd"][0][0]).astype(int) - 1
        validation = np.ravel(held["valSet"]["valInd"][0][0]).astype(int) - 1
        for places in (training, validation):
            if places.min(initial=0) < 0 or places.max(initial=0) >= len(ids):
                raise ValueError(f"an index beyond the {len(ids)} panoIds")
    except Exception as e:  # scipy's parser raises whatever a damaged file leads to
        raise InputError(f"{path}: not CVACT's list ({e!r}); get the file again") from e
    return Listed(
        at, tuple(ids[i] for i in training.tolist()), tuple(ids[i] for i in validation.tolist())
    )


def _pairs(
    folder: Path, ids: tuple[str, ...] | None, utm_m: dict[str, tuple[float, float]]
) -> tuple[tuple[Item, ...], tuple[Item, ...], int]:
    """Items of both views, and how many listed pairs lack a picture. Without ids: all that
    both folders hold, sorted."""
    ground = PictureNames(folder / "streetview", LAYOUT)
    satellite = PictureNames(folder / "satview_polish", LAYOUT)
    if ids is None:
        stems = (p.stem for p in ground.paths())
        ids = tuple(s[: -len(GROUND_ENDING)] for s in stems if s.endswith(GROUND_ENDING))
        allowed = len(ids)
    else:
        allowed = math.floor(MAX_ABSENT_SHARE * len(ids))
    queries, gallery, absent = [], [], []
    for label in ids:
        own = ground.path(f"{label}{GROUND_ENDING}.jpg")
        other = satellite.path(f"{label}{SATELLITE_ENDING}.jpg")
        if own is None or other is None:
            absent.append(label)
        else:
            queries.append(Item(own, label, position_m=utm_m.get(label)))
            gallery.append(Item(other, label, position_m=utm_m.get(label)))
    if len(absent) > allowed or not queries:
        raise InputError(
            f"{folder}: lacks a picture of {len(absent)} of {len(ids)} pairs "
            f"({', '.join(absent[:1])} first); get the data set again"
        )
    return tuple(queries), tuple(gallery), len(absent)


def _near(items: tuple[Item, ...]) -> Indexes:
    """Per item those within NEAR_M of it, itself included; cells of that side find them."""
    points = [item.position_m or (0.0, 0.0) for item in items]
    cells: dict[tuple[int, int], list[int]] = {}
    for i, (x, y) in enumerate(points):
        cells.setdefault((math.floor(x / NEAR_M), math.floor(y / NEAR_M)), []).append(i)
    found = []
    for x, y in points:
        col, row = math.floor(x / NEAR_M), math.floor(y / NEAR_M)
        around = (
            j
            for c in range(col - 1, col + 2)
            for r in range(row - 1, row + 2)
            for j in cells.get((c, r), ())
        )
        found.append(tuple(sorted(j for j in around if math.dist((x, y), points[j]) <= NEAR_M)))
    return tuple(found)
