"""Too little light, and too much: a straight line through the lightness; hues stay."""

from __future__ import annotations

import cv2
import numpy as np

from onboard.messages import Picture


def relit(picture: Picture, gain: float, offset: float) -> Picture:
    """(H, W, 3) uint8 BGR; lightness (of HLS, one of the channels that the published corruption
    draws from: black and white are its ends) times gain plus offset (0..255), saturating."""
    parts = cv2.cvtColor(picture, cv2.COLOR_BGR2HLS)
    levels = np.clip(np.arange(256) * gain + offset + 0.5, 0, 255).astype(np.uint8)
    parts[:, :, 1] = levels[parts[:, :, 1]]
    return np.asarray(cv2.cvtColor(parts, cv2.COLOR_HLS2BGR), np.uint8)
