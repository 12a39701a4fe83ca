"""Augmentation keeps a pair a pair, and follows from its seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.datasets.augmentation import Augmentation, augment_pair
from export.datasets.retrieval_set import View

NOTHING = Augmentation(mirror=0, quarter_turn=0, jpeg=0, colour=0, blur_or_sharpen=0, dropout=0)
OVERHEAD, AROUND = (View.DRONE, View.SATELLITE), (View.GROUND, View.SATELLITE)


def pictures(query: tuple[int, int] = (32, 32)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    return (
        rng.integers(1, 255, (*query, 3), np.uint8),
        rng.integers(1, 255, (40, 40, 3), np.uint8),
    )


def changed(how: Augmentation, seed: int = 0, views: tuple[View, View] = OVERHEAD) -> tuple:
    size = (16, 64) if views == AROUND else (32, 32)
    return augment_pair(*pictures(size), views, how, np.random.default_rng(seed))


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([OVERHEAD, AROUND]))
def test_the_same_seed_gives_the_same_pictures(seed: int, views: tuple[View, View]) -> None:
    first, again = (changed(Augmentation(), seed, views) for _ in range(2))
    before = pictures((16, 64) if views == AROUND else (32, 32))
    for a, b, old in zip(first, again, before, strict=True):
        assert a.dtype == np.uint8 and a.shape == old.shape and np.array_equal(a, b)


def test_nothing_asked_for_nothing_changed() -> None:
    assert all(np.array_equal(a, b) for a, b in zip(changed(NOTHING), pictures(), strict=True))


def test_both_are_mirrored() -> None:
    new, old = changed(replace(NOTHING, mirror=1)), pictures()
    assert all(np.array_equal(a, b[:, ::-1]) for a, b in zip(new, old, strict=True))


@pytest.mark.parametrize("view", [View.DRONE, View.STREET])
def test_a_picture_of_any_heading_stays_while_the_satellite_picture_turns(view: View) -> None:
    query, tile = changed(replace(NOTHING, quarter_turn=1), views=(view, View.SATELLITE))
    assert np.array_equal(query, pictures()[0])
    turns = [np.array_equal(tile, np.rot90(pictures()[1], k)) for k in range(4)]
    assert turns.index(True) in (1, 2, 3)


def test_the_panorama_turns_with_the_satellite_picture() -> None:
    """A red mark to the north of the tile stands in the panorama's middle; wherever the tile's
    top lies after the turn, the panorama's middle shows the same mark."""
    colours = {"north": 10, "east": 60, "south": 110, "west": 160}
    tile = np.zeros((40, 40, 3), np.uint8)
    tile[:5, 10:30], tile[10:30, -5:] = colours["north"], colours["east"]
    tile[-5:, 10:30], tile[10:30, :5] = colours["south"], colours["west"]
    panorama = np.zeros((8, 64, 3), np.uint8)
    for middle, name in ((32, "north"), (48, "east"), (0, "south"), (64, "south"), (16, "west")):
        panorama[:, max(0, middle - 4) : middle + 4] = colours[name]
    seen = set()
    for seed in range(20):
        for how in (replace(NOTHING, quarter_turn=1), replace(NOTHING, quarter_turn=1, mirror=1)):
            rng = np.random.default_rng(seed)
            view, turned = augment_pair(panorama, tile, AROUND, how, rng)
            marks = [int(view[4, x, 0]) for x in (32, 48, 1, 16)]
            assert marks == [int(turned[p][0]) for p in ((2, 20), (20, 37), (37, 20), (20, 2))]
            seen.add(tuple(marks))
    assert len(seen) == 6  # three turns, mirrored and not


def test_a_picture_that_is_not_square_does_not_turn() -> None:
    query, tile = pictures()
    how = replace(NOTHING, quarter_turn=1)
    new = augment_pair(query, tile[:20], OVERHEAD, how, np.random.default_rng(0))
    assert np.array_equal(new[1], tile[:20])


@pytest.mark.parametrize("name", ["jpeg", "colour", "blur_or_sharpen", "dropout"])
def test_each_change_alone(name: str) -> None:
    query, tile = changed(replace(NOTHING, **{name: 1.0}))
    for new, old in zip((query, tile), pictures(), strict=True):
        assert not np.array_equal(new, old)
        share = (new == 0).all(2).mean()
        assert (share > 0.05) == (name == "dropout")


def test_a_gray_picture_only_gets_brighter_or_darker() -> None:
    gray = np.full((8, 8, 3), 100, np.uint8)
    how = replace(NOTHING, colour=1)
    for seed in range(10):
        new, _ = augment_pair(gray, gray, OVERHEAD, how, np.random.default_rng(seed))
        assert np.ptp(new) <= 1 and 84 <= new.mean() <= 116


@pytest.mark.parametrize(
    "wrong",
    [
        {"mirror": 1.5},
        {"jitter": 0.7},
        {"jpeg_quality": 0},
        {"holes": (3, 1)},
        {"hole_share": (0, 1)},
    ],
)
def test_wrong_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augmentation(**wrong)
