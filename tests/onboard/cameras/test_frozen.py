import numpy as np
import pytest

from onboard.cameras.frozen import FrozenWatch
from onboard.messages import Frame
from onboard.reasons import Reason

MS = 1_000_000


def picture(seed, high=255):
    return np.random.default_rng(seed).integers(1, high, (120, 160, 3), np.uint8)


def shown(images, every_ms=200):
    """Reasons, None where a frame passed."""
    watch = FrozenWatch()
    refusals = [watch.check(Frame(i * every_ms * MS, image)) for i, image in enumerate(images)]
    return [r and r.reason for r in refusals]


def test_pictures_that_differ_pass():
    assert shown([picture(i) for i in range(40)]) == [None] * 40


def test_every_repetition_is_refused_until_a_new_picture_comes():
    reasons = shown([picture(0)] * 10 + [picture(1)])
    assert reasons == [None, *[Reason.FROZEN] * 9, None]


def test_a_picture_handed_out_twice_counts_once():
    assert shown([picture(i // 2) for i in range(6)]) == [None, Reason.FROZEN] * 3


@pytest.mark.parametrize("image", [np.zeros((120, 160, 3), np.uint8), None])
def test_black_or_no_pictures_are_left_to_others(image):
    assert shown([image] * 40) == [None] * 40


def test_noise_of_one_grey_level_in_a_few_pixels_is_a_living_camera():
    rng = np.random.default_rng(5)
    images = []
    for _ in range(40):
        image = picture(0, 250)
        image[rng.random(image.shape) < 0.002] += 1
        images.append(image)
    assert shown(images) == [None] * 40
