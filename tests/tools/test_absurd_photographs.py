"""Photographs with sizes that no camera has: found by fuzzing."""

import time

import numpy as np
import pytest
from PIL import Image

from onboard.errors import InputError
from tests.tools.photographs import write_photo
from tools.photo_camera import camera_of
from tools.photo_folder import read_flight
from tools.photo_picture import read_picture


def test_a_picture_of_millions_of_rows_is_refused_at_once(tmp_path):
    Image.fromarray(np.zeros((2_000_000, 4, 3), np.uint8)).save(tmp_path / "long.tif")
    start = time.monotonic()
    with pytest.raises(ValueError, match="4x2000000 is no camera's picture"):
        read_picture(tmp_path / "long.tif")
    assert time.monotonic() - start < 1.0


def test_a_picture_of_two_rows_tells_no_camera(tmp_path):
    write_photo(tmp_path / "flat.jpg", size=(640, 2))
    flight = read_flight(tmp_path)
    with pytest.raises(InputError, match="the tags tell no camera"):
        camera_of(flight.photos, None)
