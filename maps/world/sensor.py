"""From light to the picture: haze, blur, colour response, noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from maps.world.epoch import Epoch
from maps.world.noise import FloatLayer

AIRLIGHT_BGR = np.array([205, 196, 186], np.float32)


def develop(light: FloatLayer, epoch: Epoch, noise_seed: int) -> NDArray[np.uint8]:
    """(H, W, 3) BGR light (0..255) -> uint8 picture, never exactly black."""
    picture = light
    if epoch.blur_px > 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), epoch.blur_px)
    if epoch.haze > 0:
        picture = picture + (AIRLIGHT_BGR - picture) * np.float32(min(epoch.haze, 0.6))
    if epoch.saturation != 1.0:
        grey = picture.mean(axis=2, keepdims=True)
        picture = grey + (picture - grey) * np.float32(epoch.saturation)
    picture = np.clip(picture * (np.array(epoch.gain_bgr, np.float32) / 255), 0, 2)
    picture = np.power(picture, np.float32(epoch.gamma))
    picture = 118 + (picture * 255 - 118) * np.float32(epoch.contrast)
    if epoch.noise > 0:
        rng = np.random.default_rng(noise_seed)
        picture = picture + rng.standard_normal(picture.shape, np.float32) * np.float32(epoch.noise)
    return np.clip(picture, 1, 255).astype(np.uint8)
