"""Pictures that can't be localized whatever the network does: none, dark, blurred."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.messages import Frame, Refusal, View
from onboard.reasons import Reason, Stage

MIN_SIDE_PX = 64
DARK_LEVEL = 24.0  # of 255: when not even the brightest 1 % come up to it, nothing is seen
BRIGHT_SHARE = 0.01
SAMPLED_PIXELS = 10_000  # enough for the brightest 1 %
BLUR_TAPS = 9  # of Crete's reference blur
DIAGONAL_TAPS = 7  # as long, to a tenth
# Measured on 198 views of brighton, seneca, caliterra and garfield: sharp ones 0.16-0.35;
# smeared by 4 view pixels at most 0.57, by 8 a median of 0.69-0.77, by 16 of 0.85-0.89.
MAX_BLUR = 0.65
ROUNDING = np.uint8(1)  # steps of one grey level are rounding, not detail
MIN_VARIATION = 0.05  # mean step beyond rounding; less is smooth
MIN_MEASURED_PX = 1000  # fewer ground pixels away from the mask's border say nothing


def check_picture(frame: Frame) -> Refusal | None:
    """Refuses a frame without a usable picture (BAD_PICTURE) or one of the night (TOO_DARK)."""

    def refusal(reason: Reason, detail: str) -> Refusal:
        return Refusal(frame.time_ns, Stage.INPUT, reason, detail)

    image = frame.image
    if image is None:
        return refusal(Reason.BAD_PICTURE, "the picture could not be decoded")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        return refusal(
            Reason.BAD_PICTURE,
            f"the picture is {image.dtype} {image.shape}, needed is uint8 (H, W, 3)",
        )
    if min(image.shape[:2]) < MIN_SIDE_PX:
        return refusal(
            Reason.BAD_PICTURE,
            f"the picture is {image.shape[1]}x{image.shape[0]}, "
            f"needed are {MIN_SIDE_PX} pixels a side",
        )
    step = max(1, int((image.shape[0] * image.shape[1] / SAMPLED_PIXELS) ** 0.5))
    sampled = image[::step, ::step].max(axis=2)
    bright = float(np.quantile(sampled, 1.0 - BRIGHT_SHARE))
    if bright < DARK_LEVEL:
        return refusal(
            Reason.TOO_DARK, f"the brightest 1 % reach {bright:.0f} of 255, needed {DARK_LEVEL:.0f}"
        )
    return None


def check_sharpness(view: View) -> Refusal | None:
    """Refuses a view that is blurred at the map's own pixel size (BLURRED)."""
    blur = blur_measure(view.picture, view.mask)
    if blur > MAX_BLUR:
        return Refusal(
            view.time_ns,
            Stage.RECTIFY,
            Reason.BLURRED,
            f"blur measure {blur:.2f}, usable is up to {MAX_BLUR}",
        )
    return None


def blur_measure(picture: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """How little of the picture's variation a strong blur takes away, in the direction in
    which that is least: 0 sharp, 1 smooth.

    After Crete et al., "The blur effect" (SPIE 2007), taken over ground pixels, and along the
    diagonals too: a smear leaves the variation across it alone. It compares the picture with
    itself, so a meadow is not taken for a blurred town.
    """
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    reach = BLUR_TAPS // 2 + 1
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    eroded = np.asarray(cv2.erode(mask.astype(np.uint8), kernel), np.uint8)
    ground = np.ascontiguousarray(eroded[reach:-reach, reach:-reach])
    if int(ground.sum()) < MIN_MEASURED_PX:
        return 0.0
    return max(
        _blur_along(grey, ground, reach, dx, dy) for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1))
    )


def _blur_along(
    grey: NDArray[np.uint8], ground: NDArray[np.uint8], reach: int, dx: int, dy: int
) -> float:
    """ground: mask for grey without a border of `reach`. The step between neighbours of a
    running mean is the difference of the pixels at the mean's ends, divided by its length."""

    def shifted(steps: int) -> NDArray[np.uint8]:
        y, x = reach + steps * dy, reach + steps * dx
        return grey[y : y + ground.shape[0], x : x + ground.shape[1]]

    taps = BLUR_TAPS if dx * dy == 0 else DIAGONAL_TAPS
    variation = np.maximum(cv2.absdiff(shifted(1), shifted(0)), ROUNDING) - ROUNDING
    blurred = cv2.absdiff(shifted(taps // 2 + 1), shifted(-(taps // 2)))
    lost = cv2.addWeighted(variation, taps, blurred, -1.0, 0.0, dtype=cv2.CV_16S)
    lost = cv2.threshold(lost, 0, 0, cv2.THRESH_TOZERO)[1]
    mean_variation = float(cv2.mean(variation, ground)[0])
    if mean_variation < MIN_VARIATION:
        return 1.0
    return 1.0 - float(cv2.mean(lost, ground)[0]) / (taps * mean_variation)
