"""From light to the picture: blur, haze, colour response, noise."""

from __future__ import annotations

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from maps.world.epoch import Epoch

AIRLIGHT_BGR = np.array([205.0, 196.0, 186.0])
MOST_HAZE = 0.6
MIDDLE_GREY = 118.0  # stays put when the contrast changes


def develop(light: NDArray[np.uint8], epoch: Epoch, noise_seed: int) -> NDArray[np.uint8]:
    """(H, W, 3) BGR light as uint8 -> uint8 picture with the epoch's look, nowhere black."""
    picture: MatLike = light
    if epoch.blur_px > 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), epoch.blur_px)
    clear = 1.0 - min(epoch.haze, MOST_HAZE)
    mix = np.full((3, 3), (1 - epoch.saturation) / 3) + np.eye(3) * epoch.saturation
    gain = np.array(epoch.gain_bgr)
    response = np.column_stack([gain[:, None] * mix * clear, gain * AIRLIGHT_BGR * (1 - clear)])
    picture = cv2.transform(picture, response)
    level = np.arange(256) / 255
    tone = MIDDLE_GREY + (level**epoch.gamma * 255 - MIDDLE_GREY) * epoch.contrast
    picture = cv2.LUT(picture, np.clip(tone, 0, 255).astype(np.uint8))
    if epoch.noise > 0:
        rng = np.random.default_rng(noise_seed)
        grain = rng.standard_normal(picture.shape, np.float32) * np.float32(epoch.noise)
        picture = cv2.add(picture, grain, dtype=cv2.CV_8U)
    return np.asarray(np.maximum(picture, 1), np.uint8)
