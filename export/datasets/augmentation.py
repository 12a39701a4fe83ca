"""How training pictures of a pair are changed: both at once where geometry asks for it.

After Sample4Geo's recipe: mirror both; turn the satellite picture by quarters, and the panorama
with it, whose middle is north; then each picture by itself JPEG, colour jitter, blur or sharpening,
and holes. Everything random comes from one generator, so that a seed and a step say it all.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from export.datasets.retrieval_set import View
from onboard.messages import Picture

HUE_STEPS = 180  # OpenCV's full circle in 8 bits


@dataclass(frozen=True)
class Augmentation:
    """Probabilities, 0..1, of each change; jitter: the largest relative change of brightness,
    contrast and saturation, and of the hue as a share of the circle. jpeg_quality: the lowest.
    holes, hole_share: how many at least and most, and their sides as shares of the picture's."""

    mirror: float = 0.5
    quarter_turn: float = 0.75
    jpeg: float = 0.5
    jpeg_quality: int = 90
    colour: float = 0.5
    jitter: float = 0.15
    blur_or_sharpen: float = 0.3
    dropout: float = 0.3
    holes: tuple[int, int] = (10, 25)
    hole_share: tuple[float, float] = (0.1, 0.2)

    def __post_init__(self) -> None:
        for name in ("mirror", "quarter_turn", "jpeg", "colour", "blur_or_sharpen", "dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in 0..1")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality is {self.jpeg_quality}; it must be in 1..100")
        if not 0 <= self.jitter < 0.5:
            raise ValueError(f"jitter is {self.jitter}; it must be in 0..0.5")
        if not 0 <= self.holes[0] <= self.holes[1]:
            raise ValueError(f"holes are {self.holes}; give least and most")
        if not 0 < self.hole_share[0] <= self.hole_share[1] <= 1:
            raise ValueError(f"hole_share is {self.hole_share}; give least and most in 0..1")


def augment_pair(
    query: Picture,
    gallery: Picture,
    views: tuple[View, View],
    how: Augmentation,
    rng: np.random.Generator,
) -> tuple[Picture, Picture]:
    """Two BGR pictures of one place, of the same sizes as before."""
    if rng.random() < how.mirror:
        query, gallery = query[:, ::-1], gallery[:, ::-1]
    if rng.random() < how.quarter_turn:
        query, gallery = _turned(query, gallery, views, int(rng.integers(1, 4)))
    return _changed(query, how, rng), _changed(gallery, how, rng)


def _turned(
    query: Picture, gallery: Picture, views: tuple[View, View], quarters: int
) -> tuple[Picture, Picture]:
    """The satellite picture by quarters counter-clockwise. A panorama looks out of the same
    place turned with it: what was east comes to its middle after one quarter. A drone's or a
    street's picture has no fixed heading and stays. Without a square satellite picture nothing
    turns."""
    pictures = [query, gallery]
    satellites = [p for p, view in zip(pictures, views, strict=True) if view is View.SATELLITE]
    if not satellites or any(p.shape[0] != p.shape[1] for p in satellites):
        return query, gallery
    for i, view in enumerate(views):
        if view is View.SATELLITE:
            pictures[i] = np.rot90(pictures[i], quarters)
        elif view is View.GROUND:
            pictures[i] = np.roll(pictures[i], -quarters * pictures[i].shape[1] // 4, 1)
    return pictures[0], pictures[1]


def _changed(picture: Picture, how: Augmentation, rng: np.random.Generator) -> Picture:
    picture = np.ascontiguousarray(picture)
    if rng.random() < how.jpeg:
        quality = int(rng.integers(how.jpeg_quality, 101))
        data = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < how.colour:
        picture = _jittered(picture, *rng.uniform(-how.jitter, how.jitter, 4).tolist())
    if rng.random() < how.blur_or_sharpen:
        picture = _blurred_or_sharpened(picture, rng)
    if rng.random() < how.dropout:
        picture = _with_holes(picture, how, rng)
    return picture


def _jittered(
    picture: Picture, brightness: float, contrast: float, saturation: float, hue: float
) -> Picture:
    middle = float(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).mean())
    scaled = (picture.astype(np.float32) - middle) * (1 + contrast) + middle * (1 + brightness)
    hsv = cv2.cvtColor(np.clip(scaled, 0, 255).astype(np.uint8), cv2.COLOR_BGR2HSV)
    turned = (hsv[..., 0].astype(np.int32) + round(hue * HUE_STEPS)) % HUE_STEPS
    richer = np.clip(hsv[..., 1].astype(np.float32) * (1 + saturation), 0, 255)
    hsv[..., 0], hsv[..., 1] = turned.astype(np.uint8), richer.astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.uint8)


def _blurred_or_sharpened(picture: Picture, rng: np.random.Generator) -> Picture:
    soft = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.5)))
    if rng.random() < 0.5:
        return np.asarray(soft, np.uint8)
    amount = float(rng.uniform(0.2, 1.0))
    return np.asarray(cv2.addWeighted(picture, 1 + amount, soft, -amount, 0), np.uint8)


def _with_holes(picture: Picture, how: Augmentation, rng: np.random.Generator) -> Picture:
    """Black rectangles anywhere within the picture."""
    height, width = picture.shape[:2]
    out: Picture = picture.copy()
    for _ in range(int(rng.integers(how.holes[0], how.holes[1] + 1))):
        high, wide = (max(1, round(s * rng.uniform(*how.hole_share))) for s in (height, width))
        y, x = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
        out[y : y + high, x : x + wide] = 0
    return out
