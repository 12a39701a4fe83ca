"""Another day over the same ground: season, changed ground, light, weather, lens and sensor.

None of it is what the networks were trained with (`export.overhead.appearance`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from export.weather.condition import Weather, weathered
from onboard.messages import Picture

CLEAR_SHARE = 0.5  # of the frames; the rest share the nine bad weathers
# Over many pictures: drops and flakes are drawn at the same place in every one, as if painted
# on the lens.
STEADY = (Weather.DARK, Weather.LIGHT, Weather.WIND)
CHANGED = (0.0, 0.25)  # share of the picture whose ground is another by now
SEASON_GAIN = 0.35  # 1 sigma of how much brighter or darker one hue's surfaces become
EXPOSURE_SIGMA, GAMMA_SIGMA, CAST_SIGMA = 0.2, 0.25, 0.06  # of the logarithm
SHADOW_SHARE, SHADOW_LIGHT = 0.3, (0.35, 0.8)
BLUR_PX, SMEAR_PX, NOISE = (0.2, 1.5), (0.0, 9.0), (0.0, 10.0)
JPEG_QUALITY = (35, 96)


def another_day(
    picture: Picture, rng: np.random.Generator, sensor: np.random.Generator | None = None
) -> tuple[Picture, Weather]:
    """(H, W, 3) BGR -> the same size, and the weather over it. (0, 0, 0) stays.

    sensor: for one of many pictures of the same day: what differs from picture to picture comes
    from it, and the ground is left as it is.
    """
    shown = picture.any(2)
    ground = _changed_ground(picture, rng) if sensor is None else picture
    light = _season(ground, rng).astype(np.float32)
    if rng.random() < SHADOW_SHARE:
        light *= _cloud_shadow(picture.shape[:2], rng)[:, :, None]
    gain = np.exp(rng.normal(0, EXPOSURE_SIGMA) + rng.normal(0, CAST_SIGMA, 3)) / 255
    lit = 255 * np.clip(light * gain, 0, 1) ** math.exp(rng.normal(0, GAMMA_SIGMA))
    weathers = STEADY if sensor else tuple(w for w in Weather if w is not Weather.NORMAL)
    clear = rng.random() < CLEAR_SHARE
    weather = Weather.NORMAL if clear else weathers[int(rng.integers(len(weathers)))]
    developed = np.maximum(lit, 1).astype(np.uint8)
    developed[~shown] = 0
    taken = _taken(weathered(developed, weather), sensor or rng)
    taken[~shown] = 0
    return taken, weather


def _changed_ground(picture: Picture, rng: np.random.Generator) -> Picture:
    """Boxes of the picture painted over with what lies elsewhere in it, turned."""
    out = picture.copy()
    h, w = picture.shape[:2]
    wanted, covered = rng.uniform(*CHANGED) * h * w, 0.0
    while covered < wanted:
        bh, bw = (int(v) for v in rng.uniform(0.04, 0.3, 2) * (h, w))
        y, from_y = (int(v) for v in rng.integers(0, h - bh, 2))
        x, from_x = (int(v) for v in rng.integers(0, w - bw, 2))
        patch = picture[from_y : from_y + bh, from_x : from_x + bw]
        out[y : y + bh, x : x + bw] = patch[::-1] if rng.random() < 0.5 else patch[:, ::-1]
        covered += bh * bw
    return np.asarray(out, np.uint8)


def _season(picture: Picture, rng: np.random.Generator) -> Picture:
    """Every hue brighter or darker by itself, the more so the more colour it has."""
    hls = cv2.cvtColor(picture, cv2.COLOR_BGR2HLS)
    knots = np.exp(rng.normal(0, SEASON_GAIN, 7))
    hues = np.interp(np.arange(180), np.linspace(0, 180, 8), [*knots, knots[0]])
    gain = hues.astype(np.float32)[np.minimum(hls[:, :, 0], 179)]
    colour = np.minimum(1.0, hls[:, :, 2] / np.float32(80))
    lit = hls[:, :, 1] * (1 + colour * (gain - 1))
    hls[:, :, 1] = np.clip(lit, 0, 255).astype(np.uint8)
    hls[:, :, 2] = np.clip(hls[:, :, 2] * rng.uniform(0.3, 1.2), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hls, cv2.COLOR_HLS2BGR), np.uint8)


def _cloud_shadow(size: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    blobs = rng.normal(size=(5, 5)).astype(np.float32)
    field = cv2.resize(blobs, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    dark = np.clip(3 * (field - float(rng.normal(0, 0.5))), 0, 1)
    return np.asarray(1 - dark * (1 - rng.uniform(*SHADOW_LIGHT)), np.float32)


def _taken(picture: Picture, rng: np.random.Generator) -> Picture:
    """Blur of lens and motion, noise, JPEG."""
    out = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(*BLUR_PX)))
    length, angle = rng.uniform(*SMEAR_PX), rng.uniform(0, math.pi)
    side = int(length) | 1
    if side > 1:
        kernel = np.zeros((side, side), np.float32)
        reach = np.array([math.cos(angle), math.sin(angle)]) * (side - 1) / 2
        ends = np.round((side - 1) / 2 + np.array([-reach, reach])).astype(int).tolist()
        cv2.line(kernel, ends[0], ends[1], 1.0)
        out = cv2.filter2D(out, -1, kernel / kernel.sum())
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(*NOISE))
    noisy = np.clip(out + noise, 1, 255).astype(np.uint8)
    quality = int(rng.integers(*JPEG_QUALITY))
    _, data = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(np.maximum(decoded, 1), np.uint8)
