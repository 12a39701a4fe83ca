import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maps.pixels import blank_fill, coverage, encode_tile, has_texture, mask_of, resized
from onboard.pack.imagery import decode_tile
from tests.maps.small_imagery import texture


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), side=st.sampled_from([32, 64, 128, 256, 512, 1024]))
def test_resizing_keeps_holes_blank_and_their_rim_bright(seed, side):
    rng = np.random.default_rng(seed)
    picture = np.full((256, 256, 3), 200, np.uint8)
    x, y = rng.integers(0, 200, 2)
    picture[y : y + 56, x : x + 40] = 0
    out = resized(picture, side, side)
    mask = mask_of(out)
    assert (out[~mask] == 0).all()
    assert np.abs(out[mask].astype(int) - 200).max() <= 4
    assert abs(coverage(out) - coverage(picture)) < 0.04


def test_black_pixels_count_only_where_all_three_are_zero():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0, 0] = (0, 0, 1)
    assert coverage(picture) == 0.25


def test_white_and_black_collars_are_blanked_and_roofs_are_not():
    picture = texture(300, 300)
    picture[:, :80] = 255
    picture[250:, 80:] = 1
    picture[100:120, 200:230] = 255  # a roof
    out = blank_fill(picture)
    assert (out[:, :72] == 0).all() and (out[258:] == 0).all()
    assert np.array_equal(out[100:120, 200:230], picture[100:120, 200:230])
    assert np.array_equal(out[:240, 90:], picture[:240, 90:])


def test_texture_needs_variation_where_there_is_imagery():
    flat = np.full((256, 256, 3), 120, np.uint8)
    flat[:100] = 0  # a hole is no texture
    assert not has_texture(flat)
    assert has_texture(texture(256, 256))
    assert not has_texture(np.zeros((256, 256, 3), np.uint8))


def test_tiles_with_holes_keep_them_exactly():
    tile = texture(256, 256)
    tile[40:90, 60:77] = 0
    data = encode_tile(tile)
    assert data is not None and np.array_equal(decode_tile(data, "t"), tile)
    assert encode_tile(np.zeros_like(tile)) is None
