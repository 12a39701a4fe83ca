import dataclasses

import cv2
import numpy as np
import pytest

from maps.world.epoch import Epoch, random_epoch
from maps.world.landscape import Landscape
from maps.world.materials import Season
from maps.world.orthophoto import render_ortho

PLAIN = Epoch(seed=1, noise=0.0, blur_px=0.0, removed_share=0.0)


@pytest.fixture(scope="module")
def town() -> Landscape:
    return Landscape(seed=3, size_m=300.0, gsd_m=0.25, style=3)


def test_same_window_same_bytes(town: Landscape) -> None:
    epoch = random_epoch(np.random.default_rng(5))
    first, _ = render_ortho(town, epoch, 150, 150, 128, 128, 0.4)
    other = Landscape(seed=3, size_m=300.0, gsd_m=0.25, style=3)
    again, _ = render_ortho(other, epoch, 150, 150, 128, 128, 0.4)
    np.testing.assert_array_equal(first, again)


def test_black_is_outside_and_nowhere_else(town: Landscape) -> None:
    picture, _ = render_ortho(town, PLAIN, 0.0, 150.0, 200, 200, 0.5)
    assert (picture[:, :100] == 0).all()
    assert (picture[:, 100:].max(axis=2) > 0).all()


def test_windows_of_one_epoch_fit_together(town: Landscape) -> None:
    wide, _ = render_ortho(town, PLAIN, 150, 150, 400, 400, 0.5)
    right, _ = render_ortho(town, PLAIN, 200, 150, 200, 400, 0.5)
    difference = np.abs(wide[2:-2, 202:-2].astype(int) - right[2:-2, 2:-2].astype(int))
    assert np.percentile(difference, 99) <= 2


def test_coarse_picture_is_the_fine_one_averaged(town: Landscape) -> None:
    fine, _ = render_ortho(town, PLAIN, 150, 150, 800, 800, 0.25)
    coarse, _ = render_ortho(town, PLAIN, 150, 150, 200, 200, 1.0)
    averaged = cv2.resize(fine, (200, 200), interpolation=cv2.INTER_AREA)
    assert np.abs(averaged.astype(int) - coarse.astype(int)).mean() < 4


def test_lean_moves_a_roof_by_its_height(town: Landscape) -> None:
    _, flat = render_ortho(town, PLAIN, 150, 150, 600, 600, 0.25)
    ground = town.terrain_window(slice(300, 900), slice(300, 900))
    _, leaned = render_ortho(town, PLAIN, 150, 150, 600, 600, 0.25, lean=(0.5, 0.0))
    tall = flat - ground > 12.0
    assert tall.any()
    height_m = float(np.median((flat - ground)[tall]))
    shift = round(0.5 * height_m / 0.25)
    leaned_tall = leaned - ground > 12.0
    agree = (leaned_tall[:, shift:] & tall[:, :-shift]).sum() / tall[:, :-shift].sum()
    assert agree > 0.8
    assert (leaned_tall & tall).sum() < 0.95 * tall.sum()


def test_shadow_falls_away_from_the_sun(town: Landscape) -> None:
    west_sun = dataclasses.replace(PLAIN, sun_azimuth_deg=270.0, sun_elevation_deg=35.0, shade=0.3)
    east_sun = dataclasses.replace(west_sun, sun_azimuth_deg=90.0)
    by_west, height = render_ortho(town, west_sun, 150, 150, 600, 600, 0.25)
    by_east, _ = render_ortho(town, east_sun, 150, 150, 600, 600, 0.25)
    objects = height - town.terrain_window(slice(300, 900), slice(300, 900))
    tall = objects > 8.0
    just_east = np.zeros_like(tall)
    just_east[:, 16:] = tall[:, :-16]  # 4 m east of something tall
    just_east &= objects < 0.3
    assert just_east.sum() > 500
    assert by_west[just_east].mean() < 0.8 * by_east[just_east].mean()


def test_seasons_change_the_country() -> None:
    farm = Landscape(seed=2, size_m=250.0, gsd_m=0.5, style=7)
    summer, _ = render_ortho(farm, PLAIN, 125, 125, 400, 400, 0.6)
    winter_epoch = dataclasses.replace(PLAIN, seed=9, season=Season.WINTER)
    winter, _ = render_ortho(farm, winter_epoch, 125, 125, 400, 400, 0.6)
    greenness = [p[..., 1].mean() - p[..., 2].mean() for p in (summer, winter)]
    assert greenness[0] > greenness[1] + 5


def test_some_buildings_are_gone(town: Landscape) -> None:
    half = dataclasses.replace(PLAIN, removed_share=0.5)
    _, standing = render_ortho(town, PLAIN, 150, 150, 600, 600, 0.5)
    _, fewer = render_ortho(town, half, 150, 150, 600, 600, 0.5)
    assert 0.02 < (standing - fewer > 3.0).mean() < 0.5
    assert not (fewer > standing + 0.01).any()
