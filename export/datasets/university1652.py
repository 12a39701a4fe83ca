"""University-1652: drone, satellite and street pictures of 1,652 buildings.

Where from: the authors hand it out on request (repository layumi/University1652-Baseline, whose
code is MIT); academic use only, not to be passed on. Layout:

    train/{drone,satellite,street,google}/<4-digit id>/*
    test/{query,gallery}_{drone,satellite,street}/<4-digit id>/*

701 ids train, 701 others are queries; the galleries hold them and 250 ids that no query has
(951). Labels are the ids. Those 250 are plain distractors in the authors' protocol and junk in
Sample4Geo's: that is the metric's choice, the set keeps them.
"""

from __future__ import annotations

from pathlib import Path

from export.datasets.class_folders import items_by_id, training_by_label
from export.datasets.retrieval_set import Protocol, RetrievalSet, TrainingSet, View, same_label

SIZE = (384, 384)  # Sample4Geo and its successors; the authors' baseline took 256
LAYOUT = "train/<view>/<id>/* and test/{query,gallery}_<view>/<id>/* of University-1652"
VIEWS = {"drone": View.DRONE, "satellite": View.SATELLITE, "street": View.STREET}
DIRECTIONS = (
    "drone-satellite",
    "satellite-drone",
    "street-satellite",
    "satellite-street",
    "street-drone",
    "drone-street",
)


def read_sets(root: Path, direction: str, work: Path) -> list[RetrievalSet]:
    """The one set of a direction."""
    query, gallery = direction.split("-")
    return [read(root, query, gallery)]


def read(root: Path, query: str = "drone", gallery: str = "satellite") -> RetrievalSet:
    """The test split, `query` and `gallery` of drone, satellite, street.

    Raises InputError: a folder missing or empty, an id that is no number.
    """
    queries = items_by_id(root / "test" / f"query_{query}", LAYOUT)
    found = items_by_id(root / "test" / f"gallery_{gallery}", LAYOUT)
    return RetrievalSet(
        name=f"University-1652 {query} -> {gallery}",
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
    """The training split of a direction; errors as in `read`, and an id that lacks a view."""
    query, gallery = direction.split("-")
    return training_by_label(
        f"University-1652 training {query} -> {gallery}",
        (VIEWS[query], VIEWS[gallery]),
        SIZE,
        items_by_id(root / "train" / query, LAYOUT),
        items_by_id(root / "train" / gallery, LAYOUT),
    )
