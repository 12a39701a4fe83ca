import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maps.pixels import encode_tile
from onboard.errors import InputError
from onboard.pack.imagery import Imagery, decode_tile
from onboard.pack.mbtiles import MBTilesWriter

LEVEL = 5


@pytest.fixture(scope="module")
def mosaic(tmp_path_factory):
    """(reader, the picture of tiles (2..4, 3..5)); the tile in the middle is missing, the
    first has a hole. PNG tiles, so that every pixel comes back."""
    path = tmp_path_factory.mktemp("m") / "a.mbtiles"
    picture = np.random.default_rng(1).integers(1, 256, (768, 768, 3)).astype(np.uint8)
    picture[256:512, 256:512] = 0
    picture[10:60, 30:90] = 0
    writer = MBTilesWriter(path)
    for y in range(3):
        for x in range(3):
            tile = picture[y * 256 : y * 256 + 256, x * 256 : x * 256 + 256].copy()
            if tile.any():
                alpha = np.where(tile.any(axis=2), 255, 0).astype(np.uint8)
                data = bytes(cv2.imencode(".png", np.dstack([tile, alpha]))[1])
                writer.put(LEVEL, 2 + x, 3 + y, data)
    writer.commit()
    writer.close()
    return Imagery(path, kept_tiles=3), picture


@settings(deadline=None)
@given(
    x=st.integers(-300, 800),
    y=st.integers(-300, 800),
    width=st.integers(1, 400),
    height=st.integers(1, 400),
)
def test_cuts_exactly_what_lies_there_and_black_elsewhere(mosaic, x, y, width, height):
    imagery, picture = mosaic
    padded = np.zeros((1800, 1800, 3), np.uint8)
    padded[500:1268, 500:1268] = picture
    expected = padded[y + 500 : y + 500 + height, x + 500 : x + 500 + width]
    cut = imagery.picture(LEVEL, 2 * 256 + x, 3 * 256 + y, width, height)
    assert np.array_equal(cut, expected)


def test_black_imagery_is_raised_and_transparency_is_blank():
    tile = np.zeros((256, 256, 4), np.uint8)
    tile[:128, :, 3] = 255
    read = decode_tile(bytes(cv2.imencode(".png", tile)[1]), "t")
    assert (read[:128] == 1).all() and (read[128:] == 0).all()


def test_grey_tiles_become_colour():
    grey = np.arange(256, dtype=np.uint8)[None, :].repeat(256, 0)
    read = decode_tile(bytes(cv2.imencode(".png", grey)[1]), "t")
    assert read.shape == (256, 256, 3) and read.min() == 1 and read.max() == 255


def test_a_full_tile_is_jpeg_and_near_its_picture():
    ramp = np.linspace(1, 255, 256).astype(np.uint8)
    tile = np.dstack(
        [ramp[None].repeat(256, 0), ramp[:, None].repeat(256, 1), ramp[None, ::-1].repeat(256, 0)]
    )
    data = encode_tile(np.ascontiguousarray(tile))
    assert data is not None and data[:2] == b"\xff\xd8"
    assert np.abs(decode_tile(data, "t").astype(int) - tile).mean() < 4


@pytest.mark.parametrize("data", [b"", b"junk", b"\xff\xd8\xff\xe0 cut"])
def test_a_tile_that_is_no_picture_is_named(data):
    with pytest.raises(InputError, match="5/1/2"):
        decode_tile(data, "a.mbtiles: 5/1/2")


def test_a_tile_of_another_size_is_an_input_error(tmp_path):
    writer = MBTilesWriter(tmp_path / "a.mbtiles")
    writer.put(LEVEL, 0, 0, bytes(cv2.imencode(".png", np.ones((64, 64, 3), np.uint8))[1]))
    writer.commit()
    writer.close()
    with pytest.raises(InputError, match="256x256"):
        Imagery(tmp_path / "a.mbtiles").picture(LEVEL, 0, 0)
