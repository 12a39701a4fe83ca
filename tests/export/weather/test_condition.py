"""Each weather does what its name says, and the same every time."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from export.weather.condition import Weather, _veil, weathered
from export.weather.veil import Veil, stacked
from onboard.messages import Picture

DRAWN_IN_FRONT = (
    Weather.FOG,
    Weather.RAIN,
    Weather.SNOW,
    Weather.FOG_RAIN,
    Weather.FOG_SNOW,
    Weather.RAIN_SNOW,
)


@pytest.fixture(scope="module")
def picture() -> Picture:
    """Blotches of all colours with fine grain, mid-bright on average."""
    rng = np.random.default_rng(0)
    blotches = rng.uniform(20, 200, (24, 32, 3)).astype(np.float32)
    grain = rng.normal(0, 12, (384, 512, 1)).astype(np.float32)
    blotches = cv2.resize(blotches, (512, 384), interpolation=cv2.INTER_CUBIC)
    return np.clip(blotches + grain, 0, 255).astype(np.uint8)


def gray(picture: Picture) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(float)


def sharpness(picture: Picture) -> float:
    return float(np.abs(cv2.Laplacian(gray(picture), cv2.CV_64F)).mean())


@pytest.mark.parametrize("weather", Weather)
def test_the_same_twice_and_of_the_pictures_kind(picture: Picture, weather: Weather) -> None:
    before = picture.copy()
    first = weathered(picture, weather)
    _veil.cache_clear()
    assert np.array_equal(first, weathered(picture, weather))
    assert np.array_equal(before, picture)
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, picture) == (weather is Weather.NORMAL)


@pytest.mark.parametrize("weather", [Weather.FOG, Weather.FOG_RAIN, Weather.FOG_SNOW])
def test_fog_takes_contrast_and_adds_light(picture: Picture, weather: Weather) -> None:
    foggy = weathered(picture, weather)
    kept = np.cov(gray(picture).ravel(), gray(foggy).ravel())
    assert kept[0, 1] / kept[0, 0] < 0.5
    assert gray(foggy).mean() > gray(picture).mean() + 20


def test_every_pixel_keeps_at_least_a_tenth_and_at_most_half_in_fog(picture: Picture) -> None:
    keep = _veil(Weather.FOG, 384, 512).keep
    assert 0.1 < keep.min() < keep.max() <= 0.5


def test_rain_and_snow_fall_along_the_pictures_height(picture: Picture) -> None:
    black = np.ones_like(picture)
    for weather in (Weather.RAIN, Weather.SNOW):
        fallen = gray(weathered(black, weather))
        assert fallen.mean() > 5
        across, along = (np.abs(np.diff(fallen, axis=axis)).mean() for axis in (1, 0))
        assert across > 1.2 * along


@pytest.mark.parametrize("weather", Weather)
def test_where_no_picture_is_none_appears(picture: Picture, weather: Weather) -> None:
    view = np.maximum(picture, 1)
    view[:100, :200] = 0
    seen = weathered(view, weather)
    assert np.array_equal(seen.any(2), view.any(2))
    assert gray(seen)[101:110, :200].mean() > 0.6 * gray(seen)[110:120, :200].mean()


def test_snow_is_white_specks_and_rain_a_gray_veil(picture: Picture) -> None:
    black = np.ones_like(picture)
    snowy, rainy = (gray(weathered(black, w)) for w in (Weather.SNOW, Weather.RAIN))
    assert (snowy > 240).mean() > 0.01
    assert (snowy < 10).mean() > 0.2
    assert rainy.max() < 240


def test_dark_is_darker_and_light_saturates(picture: Picture) -> None:
    dark, light = (gray(weathered(picture, w)) for w in (Weather.DARK, Weather.LIGHT))
    assert dark.mean() < 0.4 * gray(picture).mean()
    assert light.mean() > 1.3 * gray(picture).mean()
    assert (weathered(picture, Weather.LIGHT) == 255).mean() > 0.02


def test_wind_blurs_along_one_direction_and_keeps_the_mean(picture: Picture) -> None:
    shaken = weathered(picture, Weather.WIND)
    assert sharpness(shaken) < 0.6 * sharpness(picture)
    assert gray(shaken).mean() == pytest.approx(gray(picture).mean(), abs=2.0)


@pytest.mark.parametrize("weather", DRAWN_IN_FRONT)
def test_a_larger_picture_gets_the_same_pattern_enlarged(weather: Weather) -> None:
    small = weathered(np.full((384, 512, 3), 90, np.uint8), weather)
    large = weathered(np.full((768, 1024, 3), 90, np.uint8), weather)
    shrunk = cv2.resize(large, (512, 384), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(gray(small).ravel(), gray(shrunk).ravel())[0, 1] > 0.97


def test_tiny_and_oblong_pictures_are_served() -> None:
    for shape in ((1, 1, 3), (3, 400, 3), (37, 2, 3)):
        for weather in Weather:
            assert weathered(np.full(shape, 128, np.uint8), weather).shape == shape


def test_stacked_veils_are_one_after_the_other(picture: Picture) -> None:
    rng = np.random.default_rng(2)
    veils = [Veil(*(rng.random((384, 512), np.float32) * s for s in (1.0, 60.0))) for _ in range(3)]
    seen = picture.astype(float)
    for veil in veils:
        seen = seen * veil.keep[:, :, None] + veil.add[:, :, None]
    got = stacked(veils).before(picture).astype(float)
    assert np.abs(got - np.clip(seen, 0, 255)).max() <= 0.51
