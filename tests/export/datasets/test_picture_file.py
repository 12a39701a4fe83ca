"""Pictures are read as BGR at the asked size, and broken ones are named."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from dataset_pictures import put_picture

from export.datasets.picture_file import read_picture
from onboard.errors import InputError


@pytest.mark.parametrize("name", ["a.JPG", "a.png", "a.TIF", "a.jpeg"])
def test_every_kind_is_read(tmp_path: Path, name: str) -> None:
    assert read_picture(put_picture(tmp_path / name)).shape == (8, 12, 3)


def test_channels_are_blue_green_red(tmp_path: Path) -> None:
    colour = np.full((4, 4, 3), (10, 120, 240), np.uint8)
    cv2.imwrite(str(tmp_path / "c.png"), colour)
    assert np.array_equal(read_picture(tmp_path / "c.png"), colour)


def test_gray_and_transparent_ones_get_three_channels(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((4, 4), 77, np.uint8))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((4, 4, 4), (1, 2, 3, 9), np.uint8))
    assert (read_picture(tmp_path / "gray.png") == 77).all()
    assert (read_picture(tmp_path / "alpha.png") == (1, 2, 3)).all()


def test_large_shrinks_average_instead_of_skipping(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::8] = 240  # one column in eight, between bilinear's samples or on them
    cv2.imwrite(str(tmp_path / "s.png"), stripes)
    small = read_picture(tmp_path / "s.png", (8, 8))
    assert small.shape == (8, 8, 3)
    assert np.abs(small.astype(int) - 30).max() <= 1


def test_size_is_height_then_width(tmp_path: Path) -> None:
    assert read_picture(put_picture(tmp_path / "a.png"), (14, 20)).shape == (14, 20, 3)


def test_broken_files_are_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent.jpg"
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    picture = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    cut = tmp_path / "cut.jpg"
    encoded = cv2.imencode(".jpg", picture)[1].tobytes()
    cut.write_bytes(encoded[: len(encoded) // 2])
    for path, word in ((absent, "missing"), (text, "decoded"), (cut, "decoded")):
        with pytest.raises(InputError, match=word) as caught:
            read_picture(path)
        assert str(path) in str(caught.value)
