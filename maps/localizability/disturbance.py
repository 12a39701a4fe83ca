"""A piece of the map as another day and another sensor would show it: what self-localization
has to survive. Drawn, not learned; how strong is given, for a good place survives more.

The colours of surfaces change by themselves, the fine grain (leaves, grass, gravel) is replaced
by another, some ground is new; what lasts are the outlines of larger things. It is none of what
`pilotage integrity` alters its frames by: a prediction must not know those.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from onboard.messages import Picture

# At strength 1; one sigma where a normal is drawn from them, in grey levels or pixels.
TONE_KNOTS, TONE_SIGMA = 6, 22.0  # of the curve that makes surfaces brighter or darker
GRAIN_PX = 2.0  # sigma: what is finer is grain
GRAIN_LEFT = 0.5  # of the grain, at strength 1; the rest is another one
LIGHT_SIGMA, LIGHT_KNOTS = 0.18, 4  # uneven light, of the logarithm, over a picture's side
GAMMA_SIGMA = 0.3  # of the logarithm
RELIT_SIGMA, RELIT_PX = 14.0, 40  # surfaces that changed, in blotches of this size
MOVED_SHARE = 0.08  # of the ground is another by now
BLUR_PX, NOISE = 0.7, 5.0
BEST_JPEG, WORST_JPEG = 92, 35

Layers = NDArray[np.float32]


def disturbed(picture: Picture, rng: np.random.Generator, strength: float) -> Picture:
    """(H, W, 3) BGR -> the same size. (0, 0, 0) stays, everything else is at least 1."""
    shown = picture.any(2)
    ground = _moved(picture, rng, MOVED_SHARE * strength).astype(np.float32)
    lit = _other_grain(_other_tones(ground, rng, strength), rng, strength)
    h, w = picture.shape[:2]
    blotches = max(2, round(max(h, w) / RELIT_PX))
    relit = rng.normal(0, RELIT_SIGMA * strength, (blotches, blotches)).astype(np.float32)
    lit = lit + cv2.resize(relit, (w, h), interpolation=cv2.INTER_LINEAR)[:, :, None]
    light = rng.normal(0, LIGHT_SIGMA * strength, (LIGHT_KNOTS, LIGHT_KNOTS))
    uneven = cv2.resize(np.exp(light).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    lit = lit * uneven[:, :, None]
    gamma = math.exp(float(rng.normal(0, GAMMA_SIGMA * strength)))
    developed = 255 * np.clip(lit / 255, 0.0, 1.0) ** gamma
    out = cv2.GaussianBlur(developed, (0, 0), 0.2 + float(rng.uniform(0, BLUR_PX * strength)))
    out = out + rng.standard_normal(out.shape, np.float32) * np.float32(NOISE * strength)
    eight = np.clip(out, 1, 255).astype(np.uint8)
    worst = max(WORST_JPEG, BEST_JPEG - (BEST_JPEG - WORST_JPEG) * strength)
    quality = int(rng.uniform(worst, BEST_JPEG))
    _, data = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, quality])
    taken = np.maximum(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8), 1)
    taken[~shown] = 0
    return np.asarray(taken, np.uint8)


def _other_tones(ground: Layers, rng: np.random.Generator, strength: float) -> Layers:
    """Brighter or darker by what a surface looks like: a drawn curve over a drawn mix of the
    bands, smooth but not rising everywhere, as from summer to winter or from crop to stubble."""
    axis = rng.normal(size=3)
    axis /= np.abs(axis).sum()
    mix = cv2.transform(ground, axis[None, :].astype(np.float32)) + 128.0
    knots = rng.normal(0, TONE_SIGMA * strength, TONE_KNOTS)
    step = np.interp(mix.ravel(), np.linspace(0, 256, TONE_KNOTS), knots)
    return np.asarray(ground + step.reshape(*mix.shape, 1), np.float32)


def _other_grain(ground: Layers, rng: np.random.Generator, strength: float) -> Layers:
    """The fine grain partly exchanged for one as strong."""
    coarse = np.asarray(cv2.GaussianBlur(ground, (0, 0), GRAIN_PX), np.float32)
    grain = ground - coarse
    left = GRAIN_LEFT**strength
    power = np.asarray(cv2.GaussianBlur(grain.mean(2) ** 2, (0, 0), 4 * GRAIN_PX), np.float32)
    drawn = cv2.GaussianBlur(rng.standard_normal(power.shape, np.float32), (0, 0), 0.5 * GRAIN_PX)
    other = drawn / max(float(drawn.std()), 1e-6) * np.sqrt(np.maximum(power, 0.0))
    mixed = coarse + left * grain + math.sqrt(1.0 - left**2) * other[:, :, None]
    return np.asarray(mixed, np.float32)


def _moved(picture: Picture, rng: np.random.Generator, share: float) -> Picture:
    """Boxes painted over with what lies elsewhere in the picture, until they cover the share."""
    out = picture.copy()
    h, w = picture.shape[:2]
    covered = 0.0
    while covered < share * h * w:
        bh, bw = (int(v) for v in rng.uniform(0.05, 0.2, 2) * (h, w))
        y, from_y = (int(v) for v in rng.integers(0, h - bh, 2))
        x, from_x = (int(v) for v in rng.integers(0, w - bw, 2))
        out[y : y + bh, x : x + bw] = picture[from_y : from_y + bh, from_x : from_x + bw]
        covered += bh * bw
    return np.asarray(out, np.uint8)
