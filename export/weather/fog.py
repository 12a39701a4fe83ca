"""Fog: bright light of slowly varying strength over everything."""

from __future__ import annotations

import cv2
import numpy as np

from export.weather.veil import Layer, Veil, blended

# The cloud layer of the published corruption (MuSe-Net), by imgaug's meaning of its settings.
MEAN_LIGHT = 225.0
LIGHT_SPREAD = 2.0  # of the coarse field
COARSE_CELLS = 8
FINE_SHARE = 0.2  # the fine field moves the light by up to this share of the mean
FREQUENCY_POWER = -2.0  # of light and thickness alike
THICKNESS_CELLS = 10  # to the longer side
THICKNESS = (1.0, 0.9)  # least, and what the field adds
THICKNESS_POWER = 0.9
DENSITY = 0.5
SEED = 35


def fog(height: int, width: int) -> Veil:
    """The same for every picture of a size: from 50 % fog to 89 %."""
    rng = np.random.default_rng(SEED)
    coarse = rng.normal(MEAN_LIGHT, LIGHT_SPREAD, (COARSE_CELLS, COARSE_CELLS)).astype(np.float32)
    light = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    fine = _frequency_noise(rng, height, width)
    light = light + MEAN_LIGHT * FINE_SHARE * (2 * fine - 1)
    shrink = THICKNESS_CELLS / max(height, width)
    cells = max(2, round(height * shrink)), max(2, round(width * shrink))
    thick = cv2.resize(
        _frequency_noise(rng, *cells), (width, height), interpolation=cv2.INTER_CUBIC
    )
    alpha = DENSITY * (THICKNESS[0] + THICKNESS[1] * np.clip(thick, 0, 1)) ** THICKNESS_POWER
    return blended(np.asarray(alpha, np.float32), np.clip(light, 0, 255).astype(np.float32))


def _frequency_noise(rng: np.random.Generator, height: int, width: int) -> Layer:
    """(height, width), 0..1: waves of random phase whose strength falls with frequency."""
    rows = np.fft.fftfreq(height)[:, None] * height
    cols = np.fft.rfftfreq(width)[None, :] * width
    frequency = np.hypot(rows, cols)
    frequency[0, 0] = np.inf  # no constant part
    phase = rng.uniform(0, 2 * np.pi, frequency.shape)
    field = np.fft.irfft2(frequency**FREQUENCY_POWER * np.exp(1j * phase), (height, width))
    field -= field.min()
    return np.asarray(field / max(float(field.max()), 1e-12), np.float32)
