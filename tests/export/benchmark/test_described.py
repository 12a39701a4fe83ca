"""Descriptors on disk: nothing twice, nothing stale, nothing lost to a bad picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import export.benchmark.described as described
from export.benchmark.described import Look, describe_all
from export.datasets.retrieval_set import Item, View
from export.weather.condition import Weather
from onboard.errors import InputError
from tests.export.benchmark.small_sets import ColourModel, write_pictures

LOOK = Look(View.DRONE, (8, 8))


@pytest.fixture
def items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Item, ...]:
    monkeypatch.setattr(described, "CHUNK_PICTURES", 4)
    return write_pictures(tmp_path / "pictures", 10)


def test_a_second_run_describes_nothing(items: tuple[Item, ...], tmp_path: Path) -> None:
    model = ColourModel()
    first = describe_all(items, LOOK, model, tmp_path / "cache", "queries")
    assert model.described == 10
    again = describe_all(items, LOOK, model, tmp_path / "cache", "queries")
    assert model.described == 10
    assert np.array_equal(first.descriptors, again.descriptors)
    alone = [model.describe(cv2.imread(str(i.picture))[None], View.DRONE)[0] for i in items]
    np.testing.assert_array_equal(first.descriptors, np.stack(alone))


def test_a_killed_run_goes_on_after_its_last_chunk(items: tuple[Item, ...], tmp_path: Path) -> None:
    class Killed(ColourModel):
        def describe(self, pictures, view):  # type: ignore[no-untyped-def]
            if self.described >= 5:
                raise KeyboardInterrupt
            return super().describe(pictures, view)

    with pytest.raises(KeyboardInterrupt):
        describe_all(items, LOOK, Killed(), tmp_path / "cache", "queries")
    model = ColourModel()
    got = describe_all(items, LOOK, model, tmp_path / "cache", "queries")
    assert model.described == 6
    fresh = describe_all(items, LOOK, ColourModel(), tmp_path / "other", "queries")
    assert np.array_equal(got.descriptors, fresh.descriptors)


def test_a_damaged_chunk_is_described_anew(items: tuple[Item, ...], tmp_path: Path) -> None:
    model = ColourModel()
    first = describe_all(items, LOOK, model, tmp_path / "cache", "queries")
    chunk = sorted((tmp_path / "cache").rglob("*.npz"))[1]
    chunk.write_bytes(chunk.read_bytes()[:50])
    again = describe_all(items, LOOK, model, tmp_path / "cache", "queries")
    assert model.described == 14
    assert np.array_equal(first.descriptors, again.descriptors)


def test_another_look_model_or_picture_is_not_mixed_up(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    model = ColourModel()
    fog, flip = Look(View.DRONE, (8, 8), Weather.FOG), Look(View.DRONE, (8, 8), flip=True)
    keys = {describe_all(items, LOOK, model, tmp_path / "c", "q").key}
    keys.add(describe_all(items, fog, model, tmp_path / "c", "q").key)
    keys.add(describe_all(items, flip, model, tmp_path / "c", "q").key)
    model.sha256 = "d0" * 32
    keys.add(describe_all(items, LOOK, model, tmp_path / "c", "q").key)
    cv2.imwrite(str(items[3].picture), np.zeros((9, 9, 3), np.uint8))
    keys.add(describe_all(items, LOOK, model, tmp_path / "c", "q").key)
    assert len(keys) == 5


def test_an_unreadable_picture_has_no_descriptor_and_a_sentence(
    items: tuple[Item, ...], tmp_path: Path
) -> None:
    items[9].picture.write_bytes(items[9].picture.read_bytes()[:60])
    items[2].picture.unlink()
    for _ in range(2):  # described, then from the cache
        got = describe_all(items, LOOK, ColourModel(), tmp_path / "cache", "queries")
        assert np.flatnonzero(np.isnan(got.descriptors[:, 0])).tolist() == [2, 9]
        assert len(got.unreadable) == 2
        assert "2.png" in got.unreadable[0]
        assert "9.png" in got.unreadable[1]


def test_a_whole_unreadable_chunk_is_no_end(items: tuple[Item, ...], tmp_path: Path) -> None:
    for item in items[:4]:
        item.picture.unlink()
    got = describe_all(items, LOOK, ColourModel(), tmp_path / "cache", "queries")
    assert np.isnan(got.descriptors).all(1).tolist() == [True] * 4 + [False] * 6


def test_no_readable_picture_is_refused(items: tuple[Item, ...], tmp_path: Path) -> None:
    for item in items:
        item.picture.unlink()
    with pytest.raises(InputError, match="not one of 10 pictures"):
        describe_all(items, LOOK, ColourModel(), tmp_path / "cache", "queries")


def test_flip_adds_the_mirror_image(items: tuple[Item, ...], tmp_path: Path) -> None:
    model = ColourModel()
    got = describe_all(items, Look(View.DRONE, (8, 8), flip=True), model, tmp_path / "c", "queries")
    for item, found in zip(items, got.descriptors, strict=True):
        both = [cv2.imread(str(item.picture)), cv2.imread(str(item.picture))[:, ::-1]]
        total = model.describe(np.stack(both), View.DRONE).sum(0)
        np.testing.assert_allclose(found, total / np.linalg.norm(total), atol=1e-6)
