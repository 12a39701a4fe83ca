"""The ten conditions of the multi-weather protocol (MuSe-Net; University-WX, SUES-WX).

Own operators with the published lists of settings and seeds; the published pictures come from
a generator that current numpy breaks, so figures compare between systems measured here, and
with published ones only roughly. Every operator has its seed: a condition looks the same on
all pictures of one aspect.

Corrupted are the drone's pictures only, before they are resized for a network. The settings
are of 512-px pictures (University-1652's): patterns are drawn with the longer side at that and
stretched over the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from export.weather.fog import fog
from export.weather.light import relit
from export.weather.particles import Fall, drawn_out, rain, snow
from export.weather.veil import Veil, stacked
from onboard.messages import Picture

PATTERN_PX = 512
DARK = (0.4, -15.0)  # gain and offset of the luma
LIGHT_GAIN, LIGHT_OFFSET, LIGHT_SEED = 1.6, (0.0, 30.0), 1992
WIND_PX, WIND_SEED = 15, 17  # at PATTERN_PX


class Weather(str, Enum):
    NORMAL = "normal"
    FOG = "fog"
    RAIN = "rain"
    SNOW = "snow"
    FOG_RAIN = "fog-rain"
    FOG_SNOW = "fog-snow"
    RAIN_SNOW = "rain-snow"
    DARK = "dark"
    LIGHT = "light"  # over-exposed
    WIND = "wind"  # motion blur


Maker = Callable[[int, int], Veil]


def _falling(kind: Callable[[Fall, int, int], Veil], *falls: Fall) -> tuple[Maker, ...]:
    return tuple(partial(kind, fall) for fall in falls)


VEILS: dict[Weather, tuple[Maker, ...]] = {
    Weather.FOG: (fog,),
    Weather.RAIN: _falling(
        rain,
        Fall((0.05, 0.1), 38),
        Fall((0.05, 0.1), 35),
        Fall((0.1, 0.2), 73),
        Fall((0.1, 0.2), 93),
        Fall((0.05, 0.2), 95),
    ),
    Weather.SNOW: _falling(
        snow,
        Fall((0.5, 0.8), 38),
        Fall((0.5, 0.8), 35),
        Fall((0.6, 0.9), 74),
        Fall((0.6, 0.9), 94),
        Fall((0.5, 0.9), 96),
    ),
    Weather.FOG_RAIN: (fog, *_falling(rain, Fall((0.05, 0.2), 35), Fall((0.05, 0.2), 36))),
    Weather.FOG_SNOW: (fog, *_falling(snow, Fall((0.5, 0.9), 35), Fall((0.5, 0.9), 36))),
    Weather.RAIN_SNOW: (
        *_falling(snow, Fall((0.5, 0.8), 35)),
        *_falling(rain, Fall((0.05, 0.1), 35), Fall((0.1, 0.2), 92), Fall((0.05, 0.2), 91)),
        *_falling(snow, Fall((0.6, 0.9), 74)),
    ),
}


@lru_cache(maxsize=16)
def _veil(weather: Weather, height: int, width: int) -> Veil:
    return stacked([make(height, width) for make in VEILS[weather]])


def weathered(picture: Picture, weather: Weather) -> Picture:
    """(H, W, 3) uint8 BGR -> the same in that weather. (0, 0, 0) is where no picture is (a
    north-up view's corners): it stays, and nothing else becomes it."""
    if weather is Weather.NORMAL:
        return picture
    shown = np.asarray(picture.any(2, keepdims=True))
    return np.where(shown, np.maximum(_changed(picture, shown, weather), 1), np.uint8(0))


def _changed(picture: Picture, shown: NDArray[np.bool_], weather: Weather) -> Picture:
    if weather is Weather.DARK:
        return relit(picture, *DARK)
    if weather is Weather.LIGHT:
        offset = float(np.random.default_rng(LIGHT_SEED).uniform(*LIGHT_OFFSET))
        return relit(picture, LIGHT_GAIN, offset)
    if weather is Weather.WIND:
        return _shaken(picture, shown)
    longer = max(picture.shape[:2])
    height, width = (max(1, round(side * PATTERN_PX / longer)) for side in picture.shape[:2])
    return _veil(weather, height, width).before(picture)


def _shaken(picture: Picture, shown: NDArray[np.bool_]) -> Picture:
    """Averages along a line over what is shown there."""
    rng = np.random.default_rng(WIND_SEED)
    length = WIND_PX * max(picture.shape[:2]) / PATTERN_PX
    angle = float(rng.uniform(0.0, 180.0))
    light = drawn_out(picture.astype(np.float32), length, angle)
    share = drawn_out(shown[:, :, 0].astype(np.float32), length, angle)[:, :, None]
    return np.asarray(np.clip(light / np.maximum(share, 1e-3) + 0.5, 0, 255), np.uint8)
