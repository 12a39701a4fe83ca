"""How the ground looks on the day: season, weather, light, the shadows of clouds; and the camera's
own share: blur of motion, softness, noise, compression."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from export.weather.condition import Weather, weathered
from maps.world.materials import Season
from maps.world.noise import wrapped_noise
from maps.world.perspective import through_jpeg
from onboard.camera import Camera
from onboard.messages import Picture
from tools.sim.scenes.seen_ground import SeenGround

CLOUD_CELL_M = 4.0  # of the pattern of shadows
CLOUD_SIDE = 1024  # cells, then it repeats
CLOUD_SIZE_M = 250.0
VEIL_SHIFT_PX = 97  # rain and snow fall elsewhere in every picture
GRAIN_SIDE = 1 << 21  # random numbers drawn once; every picture takes another part of them
MAX_SMEAR_PX = 99.0
AIRLIGHT_BGR = (205.0, 196.0, 186.0)

# What a season makes of a picture taken in summer: BGR from BGR, and the light on top.
SEASON_LOOK: dict[Season, tuple[NDArray[np.float64], float]] = {
    Season.SUMMER: (np.eye(3), 0.0),
    Season.SPRING: (np.array([[1.0, 0.0, 0.0], [0.0, 1.1, 0.0], [0.0, 0.04, 0.94]]), 4.0),
    Season.AUTUMN: (np.array([[0.9, 0.0, 0.0], [0.0, 0.8, 0.12], [0.0, 0.35, 0.75]]), -2.0),
    Season.WINTER: (np.array([[0.7, 0.25, 0.2], [0.2, 0.65, 0.2], [0.2, 0.25, 0.6]]), 22.0),
    Season.DRY: (np.array([[0.8, 0.05, 0.0], [0.0, 0.85, 0.15], [0.0, 0.3, 0.85]]), 10.0),
}


class Sky(str, Enum):
    """Weather by its name in a scenario."""

    CLEAR = "clear"
    CLOUDS = "clouds"  # their shadows drift over the ground
    HAZE = "haze"
    FOG = "fog"
    RAIN = "rain"
    SNOW = "snow"
    DUSK = "dusk"


HAZE_OF = {Sky.HAZE: 0.3}
SHADOW_OF = {Sky.CLOUDS: 0.45}
LIGHT_OF = {Sky.DUSK: 0.35, Sky.RAIN: 0.8, Sky.FOG: 0.9, Sky.SNOW: 0.9}
VEIL_OF = {Sky.FOG: Weather.FOG, Sky.RAIN: Weather.RAIN, Sky.SNOW: Weather.SNOW}


@dataclass(frozen=True)
class Shown:
    """A picture before it is dressed. origin_m: east, north of the point below the camera in a
    frame that stays with the ground."""

    camera: Camera
    seen: SeenGround
    origin_m: tuple[float, float]
    time_ns: int
    velocity_m_s: tuple[float, float]  # north, east
    sky_bgr: tuple[int, int, int]


@dataclass(frozen=True)
class Appearance:
    """exposure_s: of the shutter. blur_px: softness of the lens (sigma). noise: grey levels
    (sigma). jpeg_quality: 0 for none. contrast and gain_bgr: the sensor's answer, 1 as it is.
    wind_m_s: (north, east) of the clouds."""

    season: Season = Season.SUMMER
    weather: Sky = Sky.CLEAR
    exposure_s: float = 0.002
    blur_px: float = 0.5
    noise: float = 2.0
    jpeg_quality: int = 88
    contrast: float = 1.0
    gain_bgr: tuple[float, float, float] = field(default=(1.0, 1.0, 1.0))
    wind_m_s: tuple[float, float] = (2.0, 4.0)

    def dress(self, picture: Picture, shown: Shown, light: float, seed: int) -> Picture:
        """(H, W, 3) BGR in, the camera's picture out; nowhere (0, 0, 0)."""
        shade = SHADOW_OF.get(self.weather, 0.0)
        if shade > 0.0:
            picture = self._shadowed(picture, shown, shade, seed)
        picture = self._coloured(picture, light * LIGHT_OF.get(self.weather, 1.0))
        if shown.seen.sky.any():
            sky = np.array(shown.sky_bgr) * min(light, 1.0)
            picture[shown.seen.sky] = sky.astype(np.uint8)
        picture = _moved(picture, shown, self.exposure_s)
        if self.blur_px > 0.0:
            picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), self.blur_px), np.uint8)
        if self.weather in VEIL_OF:
            picture = _behind_veil(picture, VEIL_OF[self.weather], shown.time_ns)
        if self.noise > 0.0:
            picture = _noisy(picture, self.noise, seed, shown.time_ns)
        if self.jpeg_quality > 0:
            picture = through_jpeg(picture, self.jpeg_quality)
        return np.maximum(picture, 1)

    def _coloured(self, picture: Picture, light: float) -> Picture:
        mix, offset = SEASON_LOOK[self.season]
        haze = HAZE_OF.get(self.weather, 0.0)
        scale = light * self.contrast * np.array(self.gain_bgr)[:, None]
        grey = 118.0 * (1.0 - self.contrast) * light
        air = np.array(AIRLIGHT_BGR) * haze * light
        matrix = mix * scale * (1.0 - haze)
        column = (offset * light + grey) * (1.0 - haze) + air
        return np.asarray(cv2.transform(picture, np.column_stack([matrix, column])), np.uint8)

    def _shadowed(self, picture: Picture, shown: Shown, shade: float, seed: int) -> Picture:
        """Darker under clouds that drift with the wind."""
        drifted_s = shown.time_ns * 1e-9
        small = slice(None, None, 8)
        east = shown.seen.east_m[small, small] + np.float32(
            (shown.origin_m[0] - self.wind_m_s[1] * drifted_s) % (CLOUD_SIDE * CLOUD_CELL_M)
        )
        north = shown.seen.north_m[small, small] + np.float32(
            (shown.origin_m[1] - self.wind_m_s[0] * drifted_s) % (CLOUD_SIDE * CLOUD_CELL_M)
        )
        cells = np.float32(1 / CLOUD_CELL_M)
        pattern = _clouds(seed)
        cover = cv2.remap(
            pattern, east * cells, north * cells, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP
        )
        h, w = picture.shape[:2]
        lit = cv2.resize(1.0 - np.float32(shade) * cover, (w, h), interpolation=cv2.INTER_LINEAR)
        return np.asarray(
            cv2.multiply(picture, cv2.merge([lit, lit, lit]), dtype=cv2.CV_8U), np.uint8
        )


@lru_cache(maxsize=2)
def _clouds(seed: int) -> NDArray[np.float32]:
    """(CLOUD_SIDE, CLOUD_SIDE) share of the sun that clouds hide, 0..1."""
    rng = np.random.default_rng([seed, 0xC1])
    noise = wrapped_noise(rng, CLOUD_SIDE, CLOUD_SIZE_M / CLOUD_CELL_M)
    return np.asarray(np.clip(noise * 1.5, 0.0, 1.0), np.float32)


def _moved(picture: Picture, shown: Shown, exposure_s: float) -> Picture:
    """Smeared by the vehicle's motion while the shutter is open, as in the picture's middle."""
    north, east = (v * exposure_s for v in shown.velocity_m_s)
    h, w = picture.shape[:2]
    e, n = shown.seen.east_m, shown.seen.north_m
    y, x = h // 2, w // 2
    per_px = np.array(
        [
            [e[y, x + 1] - e[y, x], e[y + 1, x] - e[y, x]],
            [n[y, x + 1] - n[y, x], n[y + 1, x] - n[y, x]],
        ],
        np.float64,
    )
    if abs(np.linalg.det(per_px)) < 1e-12:
        return picture
    dx, dy = np.linalg.solve(per_px, [east, north])
    length = math.hypot(dx, dy)
    if length < 0.5:
        return picture
    taps = 2 * math.ceil(min(length, MAX_SMEAR_PX) / 2) + 1
    kernel = np.zeros((taps, taps), np.float32)
    middle = taps // 2
    scale = min(1.0, MAX_SMEAR_PX / length)
    for t in np.linspace(-0.5, 0.5, 4 * taps):
        kernel[round(middle + t * dy * scale), round(middle + t * dx * scale)] += 1.0
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)


def _behind_veil(picture: Picture, weather: Weather, time_ns: int) -> Picture:
    """Fog, rain or snow, lying elsewhere in every picture."""
    rng = np.random.default_rng([time_ns % 2**63, 0x5A])
    down, right = (int(v) for v in rng.integers(0, VEIL_SHIFT_PX, 2))
    margins = (down, VEIL_SHIFT_PX - down, right, VEIL_SHIFT_PX - right)
    larger = np.asarray(cv2.copyMakeBorder(picture, *margins, cv2.BORDER_REFLECT), np.uint8)
    h, w = picture.shape[:2]
    return weathered(larger, weather)[down : down + h, right : right + w]


@lru_cache(maxsize=1)
def _grain(seed: int) -> NDArray[np.float32]:
    rng = np.random.default_rng([seed, 0x6A])
    return np.asarray(rng.standard_normal(GRAIN_SIDE, np.float32))


def _noisy(picture: Picture, sigma: float, seed: int, time_ns: int) -> Picture:
    rng = np.random.default_rng([seed, time_ns % 2**63])
    grain = _grain(seed)
    need = picture.size
    repeats = math.ceil(need / (GRAIN_SIDE // 2))
    parts = []
    for _ in range(repeats):
        at = int(rng.integers(0, GRAIN_SIDE // 2))
        parts.append(grain[at : at + GRAIN_SIDE // 2])
    drawn = np.concatenate(parts)[:need].reshape(picture.shape) * np.float32(sigma)
    return np.asarray(cv2.add(picture, drawn, dtype=cv2.CV_8U), np.uint8)
