"""How much ground two pictures share: intersection over union of convex footprints."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Quad = NDArray[np.float64]  # (4, 2) corners in order around it


def turned_rectangle(
    centre: tuple[float, float], width: float, height: float, heading: float
) -> Quad:
    """Corners (x right, y down), from the upper left clockwise, of a rectangle whose up points
    to `heading` (rad, clockwise from the map's up)."""
    x = np.array([-0.5, 0.5, 0.5, -0.5]) * width
    y = np.array([-0.5, -0.5, 0.5, 0.5]) * height
    c, s = math.cos(heading), math.sin(heading)
    return np.stack((centre[0] + c * x - s * y, centre[1] + s * x + c * y), 1)


def iou(a: Quad, b: Quad) -> float:
    """0..1. Corners are taken relative to a's middle, since OpenCV reckons in float32."""
    middle = a.mean(0)
    a32, b32 = (a - middle).astype(np.float32), (b - middle).astype(np.float32)
    shared, _ = cv2.intersectConvexConvex(a32, b32)
    areas = cv2.contourArea(a32) + cv2.contourArea(b32)
    return float(shared / (areas - shared)) if areas > 0 else 0.0
