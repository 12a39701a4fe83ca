"""The second look: re-ranking's rule, metres on the primary tile, resuming."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import export.benchmark.located as located
from export.benchmark.located import reranked
from export.benchmark.result import Counting, measure_set
from export.datasets.retrieval_set import TileTruth
from export.metrics.ranking import NEVER
from export.weather.condition import Weather
from onboard.errors import InputError
from tests.export.benchmark.small_sets import BrightestModel, tile_set, write_pictures


@settings(max_examples=50)
@given(st.permutations(range(8)), st.lists(st.integers(0, 3), min_size=5, max_size=5), st.data())
def test_reranked_is_the_place_in_the_new_order(
    order: list[int], scores: list[int], data: st.DataObject
) -> None:
    positives = data.draw(st.lists(st.integers(0, 7), unique=True, min_size=1, max_size=3))
    rank = 1 + min(order.index(p) for p in positives)
    top = order[:5]
    by_score = sorted(range(5), key=lambda i: (-scores[i], i))
    new = [top[i] for i in by_score] + order[5:]
    expected = 1 + min(new.index(p) for p in positives)
    got = reranked(rank, top, np.array(scores, np.float32), tuple(positives))
    assert got == expected


def test_a_query_without_answer_stays_so() -> None:
    assert reranked(NEVER, [3, 4], np.ones(2, np.float32), ()) == NEVER


def test_metres_and_order_of_the_second_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(located, "CHUNK_QUERIES", 2)
    gallery = write_pictures(tmp_path / "tiles", 5)
    queries = write_pictures(tmp_path / "views", 5)  # the same pictures
    spots = [(1, 2), (3, 4), (5, 6), (7, 0), (0, 7)]
    for item, (row, col) in zip(gallery, spots, strict=True):
        picture = cv2.imread(str(item.picture))
        picture[row, col] = 255
        cv2.imwrite(str(item.picture), picture)
    truths = tuple(
        TileTruth((col + 0.5) * 80 + 30.0 * i, (row + 0.5) * 80, 640, 0.1)
        for i, (row, col) in enumerate(spots)
    )
    pairs = tile_set(queries, gallery, truths)
    cache = tmp_path / "cache"
    got = measure_set(pairs, BrightestModel(), Weather.NORMAL, Counting(), cache)
    assert got.figures["R@1"] == got.figures["re-ranked R@1"] == 1.0
    assert got.figures["mean m"] == pytest.approx(np.mean([0, 3, 6, 9, 12]))
    assert got.figures["median m"] == pytest.approx(6.0)
    assert got.figures["R@1m"] == 0.2
    assert got.figures["R@10m"] == 0.8

    class Blind(BrightestModel):
        def examine(self, *_):  # type: ignore[no-untyped-def]
            raise AssertionError("everything was located already")

    again = measure_set(pairs, Blind(), Weather.NORMAL, Counting(), cache)
    assert again.figures == got.figures
    plain = measure_set(pairs, Blind(), Weather.NORMAL, Counting(rerank=False), cache)
    assert "R@1m" not in plain.figures


def test_an_unreadable_primary_has_no_metres_and_counts_as_missed(tmp_path: Path) -> None:
    gallery = write_pictures(tmp_path / "tiles", 4)
    queries = write_pictures(tmp_path / "views", 4)
    gallery[1].picture.write_bytes(b"no picture")
    queries[2].picture.unlink()
    truths = tuple(TileTruth(320.0, 320.0, 640, 0.1) for _ in queries)
    pairs = tile_set(queries, gallery, truths)
    got = measure_set(pairs, BrightestModel(), Weather.NORMAL, Counting(), tmp_path / "cache")
    assert len(got.unreadable) == 2
    assert got.figures["re-ranked R@1"] == 0.5
    assert got.figures["R@10m"] <= 0.5


def test_weather_needs_a_drone(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "tiles", 2)
    pairs = tile_set(pictures, pictures, ())
    with pytest.raises(InputError, match="--weather"):
        measure_set(pairs, BrightestModel(), Weather.FOG, Counting(), tmp_path / "cache")
