"""Answers that do not fit the pictures are refused when a set is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from export.datasets.retrieval_set import (
    Item,
    Protocol,
    RetrievalSet,
    TileTruth,
    TrainingSet,
    View,
    same_label,
)

ITEMS = tuple(Item(Path(f"{label}.jpg"), label) for label in "abca")


def retrieval_set(**changes: Any) -> RetrievalSet:
    fields: dict[str, Any] = {
        "name": "small",
        "protocol": Protocol.CLASSES,
        "query_view": View.DRONE,
        "gallery_view": View.SATELLITE,
        "query_size": (8, 8),
        "gallery_size": (8, 8),
        "queries": ITEMS[:2],
        "gallery": ITEMS,
        "positives": ((0, 3), (1,)),
    }
    return RetrievalSet(**(fields | changes))


def test_same_labels_are_positives() -> None:
    assert same_label((*ITEMS[:2], Item(Path("x"), "x")), ITEMS) == ((0, 3), (1,), ())


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"positives": ((0,),)}, "answers for 1 of 2"),
        ({"positives": ((0,), (4,))}, "outside"),
        ({"positives": ((-1,), (1,))}, "outside"),
        ({"weights": ((0.5,), (0.5,))}, "weight"),
        ({"semi_positives": ((9,), ())}, "outside"),
        ({"truths": (TileTruth(1, 1, 640, 0.1),)}, "truths"),
    ],
)
def test_wrong_answers_are_refused(changes: dict[str, Any], word: str) -> None:
    retrieval_set()
    with pytest.raises(ValueError, match=word):
        retrieval_set(**changes)


def test_a_training_query_needs_a_positive() -> None:
    views = (View.DRONE, View.SATELLITE)
    with pytest.raises(ValueError, match="without a positive"):
        TrainingSet("t", *views, (8, 8), (8, 8), ITEMS[:2], ITEMS, ((0,), ()))
