import numpy as np
import pytest
from rendered_ground import BLOCKS, height_at

from export.points.dense_stereo import dense_cloud, stereo_pairs
from onboard.errors import InputError


def test_pairs_are_near_neighbours(rendered):
    pairs = stereo_pairs(rendered.truth)
    assert pairs and all(0 < j - i <= 2 for i, j in pairs)


def test_ground_and_blocks_come_out_at_their_heights(rendered):
    told: list[tuple[int, int]] = []
    cloud = dense_cloud(rendered.truth, rendered.photographs, lambda _, i, n: told.append((i, n)))
    assert told[-1][0] == told[-1][1]
    x, y, z = cloud.xyz.T
    inner = (np.abs(x) < 18) & (np.abs(y) < 8)
    error = np.abs(z - height_at(x, y))[inner]
    assert inner.sum() > 5000
    assert np.median(error) < 0.1 and np.mean(error < 0.5) > 0.9
    west, south, east, north, height = BLOCKS[0]
    top = (x > west + 1) & (x < east - 1) & (y > south + 1) & (y < north - 1)
    assert abs(np.median(z[top]) - height) < 0.15
    assert cloud.rgb is not None and cloud.rgb.shape == cloud.xyz.shape


def test_an_absent_photograph_is_named(rendered, tmp_path):
    with pytest.raises(InputError, match=r"\.png: cannot be read"):
        dense_cloud(rendered.truth, tmp_path, lambda *_: None)
