"""What hangs between camera and ground: a share of the light is kept, other light is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.messages import Picture

Layer = NDArray[np.float32]


@dataclass(frozen=True)
class Veil:
    """keep: (h, w) share 0..1 of the picture that comes through. add: (h, w) gray light 0..255
    put in front of it."""

    keep: Layer
    add: Layer

    def before(self, picture: Picture) -> Picture:
        """(H, W, 3) uint8 seen through the veil, which is stretched over it."""
        size = picture.shape[1], picture.shape[0]
        keep = cv2.resize(self.keep, size)[:, :, None]
        add = cv2.resize(self.add, size)[:, :, None]
        return np.asarray(np.clip(picture * keep + add + 0.5, 0, 255), np.uint8)


def blended(alpha: Layer, light: Layer | float) -> Veil:
    """alpha: 0..1 how much of the light stands for the picture."""
    alpha = np.clip(alpha, 0.0, 1.0).astype(np.float32)
    return Veil(1.0 - alpha, np.asarray(alpha * light, np.float32))


def stacked(veils: Sequence[Veil]) -> Veil:
    """One veil for several, the first nearest the ground."""
    whole = veils[0]
    for veil in veils[1:]:
        whole = Veil(whole.keep * veil.keep, whole.add * veil.keep + veil.add)
    return whole
