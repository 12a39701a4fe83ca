import math

import numpy as np
import pytest

from onboard.cameras.frozen import MIN_EQUAL, FrozenWatch
from onboard.messages import Attitude, Frame, Height
from onboard.reasons import Reason

MS = 1_000_000


def picture(seed, high=255):
    return np.random.default_rng(seed).integers(1, high, (120, 160, 3), np.uint8)


def shown(images, roll_deg=lambda i: 0.0, agl_m=lambda i: 100.0, every_ms=200):
    """Reasons, None where a frame passed."""
    watch = FrozenWatch()
    refusals = []
    for i, image in enumerate(images):
        t = i * every_ms * MS
        attitude = Attitude(t, math.radians(roll_deg(i)), 0.0, 3.1)
        refusals.append(watch.check(Frame(t, image), attitude, Height(t, agl_m(i))))
    return [r and r.reason for r in refusals]


def test_pictures_that_differ_pass():
    assert shown([picture(i) for i in range(40)], roll_deg=lambda i: i) == [None] * 40


def test_equal_pictures_of_a_turning_vehicle_are_refused_until_they_differ():
    images = [picture(0)] * 10 + [picture(1)]
    reasons = shown(images, roll_deg=lambda i: 0.6 * i)
    assert reasons[: MIN_EQUAL - 1] == [None] * (MIN_EQUAL - 1)
    assert reasons[MIN_EQUAL - 1 : 10] == [Reason.FROZEN] * (11 - MIN_EQUAL)
    assert reasons[10] is None


def test_equal_pictures_of_a_climbing_vehicle_are_refused():
    assert shown([picture(0)] * 8, agl_m=lambda i: 100.0 + 2.0 * i)[-1] is Reason.FROZEN


def test_a_still_scene_may_look_still_for_a_while():
    reasons = shown([picture(0)] * 40, roll_deg=lambda i: 0.05 * (i % 2))
    assert reasons[:25] == [None] * 25
    assert reasons[26] is Reason.FROZEN


def test_a_frame_handed_out_twice_does_no_harm():
    images = [picture(i // 2) for i in range(30)]
    assert shown(images, roll_deg=lambda i: 3.0 * i) == [None] * 30


@pytest.mark.parametrize("image", [np.zeros((120, 160, 3), np.uint8), None])
def test_black_or_no_pictures_are_left_to_others(image):
    assert shown([image] * 40, roll_deg=lambda i: i) == [None] * 40


def test_noise_of_one_grey_level_in_a_few_pixels_is_a_living_camera():
    rng = np.random.default_rng(5)
    images = []
    for _ in range(40):
        image = picture(0, 250)
        image[rng.random(image.shape) < 0.002] += 1
        images.append(image)
    assert shown(images, roll_deg=lambda i: i) == [None] * 40


def test_without_attitude_and_height_only_time_tells():
    watch = FrozenWatch()
    seen = [watch.check(Frame(i * 1000 * MS, picture(0)), None, None) for i in range(8)]
    assert [bool(r) for r in seen] == [False] * 5 + [True] * 3
