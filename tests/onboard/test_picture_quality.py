"""Dark, broken and blurred pictures are told from usable ones."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard.messages import Frame, Picture, Refusal, View
from onboard.picture_quality import blur_measure, check_picture, check_sharpness
from onboard.reasons import Reason


def ground(seed: int = 1) -> Picture:
    """Fields and roofs: flat patches with sharp edges, and a little grain."""
    rng = np.random.default_rng(seed)
    picture = np.full((256, 256, 3), 90, np.uint8)
    for _ in range(120):
        x, y = rng.integers(0, 256, 2)
        w, h = rng.integers(6, 60, 2)
        colour = tuple(int(c) for c in rng.integers(30, 230, 3))
        cv2.rectangle(picture, (int(x), int(y)), (int(x + w), int(y + h)), colour, -1)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 1, 255).astype(np.uint8)


def view_of(picture: Picture) -> View:
    mask = np.ones(picture.shape[:2], bool)
    mask[:40] = False
    shown = picture.copy()
    shown[~mask] = 0
    return View(3, shown, mask, 18, 0.4, 0.4, 0.0, 0.0, 100.0, 5.0)


def reason_of(image: Picture | None) -> Reason | None:
    refusal = check_picture(Frame(9, image))
    assert refusal is None or (refusal.time_ns == 9 and refusal.detail)
    return refusal.reason if refusal else None


def test_a_usable_picture_passes() -> None:
    assert reason_of(ground()) is None
    assert check_sharpness(view_of(ground())) is None


@pytest.mark.parametrize(
    "image",
    [
        None,
        np.zeros((480, 640), np.uint8),
        np.zeros((480, 640, 4), np.uint8),
        np.zeros((480, 640, 3), np.uint16),
        np.full((20, 640, 3), 99, np.uint8),
        np.zeros((0, 0, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(image: Picture | None) -> None:
    assert reason_of(image) is Reason.BAD_PICTURE


def test_darkness_is_refused_and_dusk_is_not() -> None:
    assert reason_of(np.zeros((480, 640, 3), np.uint8)) is Reason.TOO_DARK
    grain = np.random.default_rng(0).integers(0, 8, (480, 640, 3)).astype(np.uint8)
    assert reason_of(grain) is Reason.TOO_DARK
    assert reason_of((ground() * 0.25).astype(np.uint8)) is None


def test_a_few_lamps_do_not_make_a_day() -> None:
    night = np.zeros((480, 640, 3), np.uint8)
    night[100:105, 100:105] = 255
    assert reason_of(night) is Reason.TOO_DARK


@pytest.mark.parametrize("angle_deg", [0, 30, 45, 90, 135, 160])
def test_strong_smear_is_refused_in_any_direction(angle_deg: int) -> None:
    kernel = np.zeros((41, 41), np.float32)
    kernel[20, 10:31] = 1
    turn = cv2.getRotationMatrix2D((20, 20), angle_deg, 1.0)
    kernel = cv2.warpAffine(kernel, turn, (41, 41))
    refusal = check_sharpness(view_of(cv2.filter2D(ground(), -1, kernel / kernel.sum())))
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.BLURRED


def test_a_slight_smear_is_not() -> None:
    assert check_sharpness(view_of(cv2.blur(ground(), (3, 1)))) is None


@given(st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_more_smear_measures_more(seed: int) -> None:
    mask = np.ones((256, 256), bool)
    measures = [blur_measure(cv2.blur(ground(seed), (n, 1)), mask) for n in (1, 4, 12, 30)]
    assert measures == sorted(measures)
    assert measures[0] >= 0.0 and measures[-1] <= 1.0


def test_the_masks_border_is_no_edge() -> None:
    smooth = cv2.GaussianBlur(ground(), (0, 0), 6)
    assert check_sharpness(view_of(smooth)) is not None
