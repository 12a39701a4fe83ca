"""Falling rain and snow: specks on a coarse grid, thinned out in places, drawn out by their fall.

The settings have imgaug's meaning, whose lists the published corruption uses; what those
lists leave at its defaults stands here as the defaults' ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from export.weather.veil import Layer, Veil, blended, stacked

Range = tuple[float, float]
SNOW_SPEED: Range = (0.007, 0.03)  # fall during the exposure, share of the longer side
RAIN_SPEED: Range = (0.04, 0.06)
SNOW_DENSITY: Range = (0.005, 0.075)  # share of grid cells with a speck
RAIN_DENSITY: Range = (0.03, 0.14)
SNOW_EVENNESS: Range = (0.3, 0.9)  # 1: as dense everywhere
RAIN_EVENNESS: Range = (0.8, 1.0)
SNOW_LIKENESS: Range = (0.4, 0.8)  # 1: flakes of like brightness
SNOW_SLANT_DEG: Range = (-30.0, 30.0)  # from straight down
RAIN_SLANT_DEG: Range = (-15.0, 15.0)
RAIN_LIGHT: Range = (110.0, 240.0)
SNOW_LIGHT = 255.0
SPECK_LIGHT: Range = (0.5, 1.0)
FLAKE_BLUR_PX = 0.5
PATCHES = 8  # to a side: fields of more and less of it
LAYERS = (1, 3)  # at least, at most
DROP_GAIN = 1.3
SPEED_GAIN = 20.0  # a faster flake is drawn out more, and shall be as bright


@dataclass(frozen=True)
class Fall:
    """One to three layers of drops or flakes. size: range of the grid's coarseness (0: a cell a
    pixel; 0.8: five pixels)."""

    size: Range
    seed: int


def rain(fall: Fall, height: int, width: int) -> Veil:
    rng = np.random.default_rng(fall.seed)
    return stacked([_rain_layer(rng, fall, height, width) for _ in range(_layers(rng))])


def snow(fall: Fall, height: int, width: int) -> Veil:
    rng = np.random.default_rng(fall.seed)
    return stacked([_snow_layer(rng, fall, height, width) for _ in range(_layers(rng))])


def _layers(rng: np.random.Generator) -> int:
    return int(rng.integers(LAYERS[0], LAYERS[1] + 1))


def _rain_layer(rng: np.random.Generator, fall: Fall, height: int, width: int) -> Veil:
    specks = _specks(rng, fall, rng.uniform(*RAIN_DENSITY), RAIN_EVENNESS, height, width)
    speed = rng.uniform(*RAIN_SPEED)
    drops = drawn_out(specks, speed * max(height, width), rng.uniform(*RAIN_SLANT_DEG))
    return blended(DROP_GAIN * drops, float(rng.uniform(*RAIN_LIGHT)))


def _snow_layer(rng: np.random.Generator, fall: Fall, height: int, width: int) -> Veil:
    specks = _specks(rng, fall, rng.uniform(*SNOW_DENSITY), SNOW_EVENNESS, height, width)
    specks = np.asarray(cv2.GaussianBlur(specks, (0, 0), FLAKE_BLUR_PX), np.float32)
    speed = rng.uniform(*SNOW_SPEED)
    flakes = drawn_out(specks, speed * max(height, width), rng.uniform(*SNOW_SLANT_DEG))
    unlike = 1.0 - rng.uniform(*SNOW_LIKENESS)
    flakes = (1 + 5 * unlike) * np.clip(flakes, 0, 1) ** (1 + 2 * unlike)
    return blended((1 + SPEED_GAIN * speed) * flakes, SNOW_LIGHT)


def _specks(
    rng: np.random.Generator,
    fall: Fall,
    density: float,
    evenness: Range,
    height: int,
    width: int,
) -> Layer:
    """(height, width), 0..1."""
    scale = 1.0 - rng.uniform(*fall.size)
    rows, cols = max(1, int(height * scale)), max(1, int(width * scale))
    there = rng.random((rows, cols), np.float32) < density
    light = rng.uniform(*SPECK_LIGHT, (rows, cols)).astype(np.float32)
    specks = np.where(there, light, np.float32(0))
    patches = rng.beta(1.0, max(1.0 - rng.uniform(*evenness), 1e-3), (PATCHES, PATCHES))
    much = cv2.resize(patches.astype(np.float32), (cols, rows), interpolation=cv2.INTER_CUBIC)
    thinned = np.asarray(specks * np.clip(much, 0, 1), np.float32)
    whole = cv2.resize(thinned, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(whole, 0, 1), np.float32)


def drawn_out(picture: Layer, length_px: float, slant_deg: float) -> Layer:
    """Blur along a line of length_px, slant_deg from the picture's vertical."""
    side = max(1, round(length_px)) | 1
    if side < 3:
        return picture
    kernel = np.zeros((side, side), np.float32)
    kernel[:, side // 2] = 1.0
    middle = (side - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), slant_deg, 1.0)
    kernel = np.asarray(cv2.warpAffine(kernel, turn, (side, side)), np.float32)
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()))
