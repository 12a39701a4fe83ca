import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from export.datasets.aligned_turns import AlignedPair, at_random, flipped, turned

SIDE, WIDTH = 33, 72
moves = st.lists(st.sampled_from(["flip", 1, 2, 3]), max_size=6)


def scene(col, row, lamp_col, lamp_row):
    """A lamp in the tile, and in the panorama the column that looks at it from the camera."""
    tile = np.zeros((SIDE, SIDE, 3), np.uint8)
    tile[lamp_row, lamp_col] = 255
    panorama = np.zeros((4, WIDTH, 3), np.uint8)
    panorama[:, seen_in(col, row, lamp_col, lamp_row)] = 255
    return AlignedPair(panorama, tile, col, row)


def seen_in(col, row, lamp_col, lamp_row):
    bearing = np.arctan2(lamp_col + 0.5 - col, -(lamp_row + 0.5 - row))  # 0 = north, clockwise
    return int(np.floor((bearing / (2 * np.pi) + 0.5) * WIDTH)) % WIDTH


@given(
    st.integers(0, SIDE - 1), st.integers(0, SIDE - 1), moves, st.floats(12, 20), st.floats(12, 20)
)
def test_what_the_panorama_sees_stays_where_the_tile_has_it(lamp_col, lamp_row, steps, col, row):
    if np.hypot(lamp_col + 0.5 - col, lamp_row + 0.5 - row) < 1:
        return
    pair = scene(col, row, lamp_col, lamp_row)
    for step in steps:
        pair = flipped(pair) if step == "flip" else turned(pair, step)
    ((lamp_row, lamp_col),) = np.argwhere(pair.tile[..., 0])
    expected = seen_in(pair.col_px, pair.row_px, lamp_col, lamp_row)
    (column,) = np.flatnonzero(pair.panorama[0, :, 0])
    # a bearing on the border of two columns falls to the other one when mirrored
    assert (column - expected + 1) % WIDTH in (0, 1, 2)


def test_four_quarters_and_two_mirrors_change_nothing():
    pair = scene(10.25, 20.5, 3, 4)
    for same in (turned(pair, 4), turned(turned(pair, 1), 3), flipped(flipped(pair))):
        assert np.array_equal(same.tile, pair.tile)
        assert np.array_equal(same.panorama, pair.panorama)
        assert (same.col_px, same.row_px) == (pair.col_px, pair.row_px)


def test_chance_comes_from_the_generator_alone():
    pair = scene(10.25, 20.5, 3, 4)
    places = [at_random(pair, 0.5, 0.75, np.random.default_rng(7)).col_px for _ in range(2)]
    assert places[0] == places[1]
    seen = {at_random(pair, 0.5, 0.75, np.random.default_rng(s)).col_px for s in range(60)}
    assert len(seen) == 4  # 10.25, 20.5 and their mirrors
    assert at_random(pair, 0, 0, np.random.default_rng(1)) == pair
