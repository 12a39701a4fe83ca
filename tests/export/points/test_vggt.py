from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from rendered_ground import FOCAL, HEIGHT, WIDTH, height_at

from export.points.colmap import Photograph
from export.points.vggt import assembled, reconstruct_by_vggt, why_not
from onboard.errors import InputError


def test_predictions_become_cameras_of_the_full_pictures_and_points_of_the_ground(rendered):
    """Fed with what a faultless network would say of every second pixel."""
    cameras = rendered.truth.cameras[3:6]
    w, h, n = WIDTH // 2, HEIGHT // 2, len(cameras)
    v, u = np.mgrid[0:h, 0:w] + 0.5
    inner = np.tile([[FOCAL / 2, 0, w / 2], [0, FOCAL / 2, h / 2], [0, 0, 1.0]], (n, 1, 1))
    outer, depth, pictures = np.zeros((n, 3, 4)), np.zeros((n, h, w)), []
    for i, c in enumerate(cameras):
        rotation, position = np.array(c.rotation), np.array(c.position_m)
        outer[i, :, :3], outer[i, :, 3] = rotation, -rotation @ position
        rays = np.stack(((u - w / 2) * 2 / FOCAL, (v - h / 2) * 2 / FOCAL, np.ones_like(u)), -1)
        down = rays @ rotation
        for height in (0.0, 2.0, 3.0):  # the highest surface wins
            t = (height - position[2]) / down[..., 2]
            at = position[:2] + t[..., None] * down[..., :2]
            hit = (height_at(at[..., 0], at[..., 1]) == height) | (height == 0.0)
            depth[i][hit] = t[hit]
        picture = cv2.imread(str(rendered.photographs / c.file))
        pictures.append(cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA))
    photos = [Photograph(Path(c.file)) for c in cameras]
    sure = np.ones_like(depth)
    sure[:, : h // 2] = 0.1
    full = (WIDTH, HEIGHT)
    made = assembled(photos, np.stack(pictures), full, outer, inner, depth, sure)
    for found, true in zip(made.cameras, cameras, strict=True):
        assert found.focal_px == pytest.approx(true.focal_px)
        assert np.allclose(found.centre_px, true.centre_px)
        assert np.allclose(found.position_m, true.position_m)
    x, y, z = made.points.xyz.T
    # blocks have no walls here: a few rays pass under their edges
    assert len(z) > 1000 and np.mean(np.abs(z - height_at(x, y)) < 0.01) > 0.95
    assert y.max() < 3.0  # the less sure half of every picture is left out


def test_without_vggt_or_gpu_one_sentence_says_so(tmp_path):
    if why_not() is None:
        pytest.skip("VGGT and a GPU are here")
    with pytest.raises(InputError, match="use --by colmap"):
        reconstruct_by_vggt([Photograph(tmp_path / "a.jpg")] * 3, lambda *_: None)
    assert not torch.cuda.is_available() or "installed" in str(why_not())
