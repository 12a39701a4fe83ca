import cv2
import numpy as np
import pytest

from export.overhead.appearance import photograph
from export.overhead.pairs import cut, make_pair, sample_batch
from export.overhead.scenes import make_scene


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(20, 235, (120, 120, 3), dtype=np.uint8), (1200, 1200))
    return make_scene("noise", 0.25, [ground])


def ramp_scene():
    """Red tells x, green tells y: a sampled colour says where it came from."""
    y, x = np.mgrid[0:1000, 0:1000]
    picture = np.stack([np.full_like(x, 9), y // 4 + 1, x // 4 + 1], 2).astype(np.uint8)
    return make_scene("ramp", 0.25, [picture])


def test_cut_takes_the_asked_place_at_every_scale():
    scene = ramp_scene()
    for pixel in (1.0, 1.7, 3.0):
        to_scene = np.array([[pixel, 0, 200.0], [0, pixel, 100.0], [0, 0, 1]])
        picture, ground = cut(scene.epochs[0], to_scene, (200, 200), None)
        assert ground.all()
        x, y = 200 + pixel * 150.5, 100 + pixel * 20.5
        assert picture[20, 150, 2] == pytest.approx(x / 4 + 0.5, abs=1.5)
        assert picture[20, 150, 1] == pytest.approx(y / 4 + 0.5, abs=1.5)


def test_outside_is_no_ground():
    to_scene = np.array([[1.0, 0, -50.0], [0, 1.0, 0], [0, 0, 1]])
    picture, ground = cut(ramp_scene().epochs[0], to_scene, (100, 100), None)
    assert not ground[:, :49].any() and ground[:, 51:].all()
    assert picture[:, :49].max() == 0


def test_transform_says_where_the_view_lies(scene):
    """The view's centre, mapped into the tile, shows the same ground: by phase correlation
    of the upright pictures after undoing scale and rotation."""
    errors = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        pair = make_pair(scene, np.array([600.0, 600.0]), 2.0, 0.3, 192, rng)
        if pair is None:
            continue
        view, tile, transform = pair
        warped = cv2.warpAffine(view, transform, (192, 192)).astype(np.float32)
        seen = cv2.warpAffine((view > 0).astype(np.uint8), transform, (192, 192)) > 0
        a = np.where(seen, warped - warped[seen].mean(), 0)
        b = np.where(seen, tile - tile[seen].mean(), 0).astype(np.float32)
        a = a * np.sign((a * b).sum() or 1.0)
        (dx, dy), _ = cv2.phaseCorrelate(a, b, cv2.createHanningWindow((192, 192), cv2.CV_32F))
        errors.append(np.hypot(dx, dy))
    assert len(errors) >= 6
    assert np.median(errors) < 4.0


def test_batches_are_reproducible_and_places_apart(scene):
    weights = np.array([1.0])
    first, second = (
        sample_batch([scene], weights, 64, 6, np.random.default_rng(3)) for _ in range(2)
    )
    assert np.array_equal(first.views, second.views)
    assert np.array_equal(first.view_to_tile, second.view_to_tile)
    assert first.views.shape == (6, 64, 64, 1)
    centres = first.view_to_tile @ np.array([32, 32, 1])
    assert (np.abs(centres - 32) <= 16 + 1e-3).all()


def test_photograph_keeps_ground_apart_from_black(scene):
    picture = scene.epochs[0][0][:100, :140]
    for seed in range(20):
        gray = photograph(picture, np.random.default_rng(seed), changes=True)
        assert gray.shape == (100, 140) and gray.dtype == np.uint8
        assert gray.min() >= 1
        again = photograph(picture, np.random.default_rng(seed), changes=True)
        assert np.array_equal(gray, again)
