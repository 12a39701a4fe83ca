import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from maps.plan import choose_levels, parse_agl, parse_levels
from maps.sources.source import WORLD_M, Source
from onboard.camera import Camera
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m, pixel_to_latlon
from onboard.rectify import choose_level


@dataclass
class Place(Source):
    """A source of which only the place matters."""

    native_level: float
    bounds_m: tuple[float, float, float, float]
    name: str = "a"
    files: tuple[Path, ...] = ()
    date: str | None = None

    def read(self, level, x, y, width, height):
        raise AssertionError("planning must not read pictures")


def at_tiles(level: int, x0: int, y0: int, x1: int, y1: int, native: float = 19.0) -> Place:
    side, half = WORLD_M / 2**level, WORLD_M / 2
    return Place(native, (x0 * side - half, half - y1 * side, x1 * side - half, half - y0 * side))


@pytest.mark.parametrize(
    ("text", "levels"),
    [("17-19", (17, 18, 19)), ("18", (18,)), ("19,17", (17, 19)), ("18,18", (18,))],
)
def test_levels_are_read(text, levels):
    assert parse_levels(text) == levels


@pytest.mark.parametrize(
    "text", ["", "a", "19-17", "7", "25", "1-2-3", "17-", "18-9999999999", "-17", "1e3"]
)
def test_wrong_levels_are_input_errors(text):
    with pytest.raises(InputError, match="--levels"):
        parse_levels(text)


def test_heights_are_read():
    assert parse_agl("80-120") == (80.0, 120.0)
    assert parse_agl("100") == (100.0, 100.0)
    for text in ("", "x", "0", "120-80", "-5", "1-2-3", "nan"):
        with pytest.raises(InputError, match="--agl-m"):
            parse_agl(text)


@pytest.mark.parametrize(
    ("native", "levels"), [(19.4, (17, 18, 19)), (19.6, (18, 19, 20)), (9.2, (8, 9))]
)
def test_by_default_the_imagery_decides(native, levels):
    assert choose_levels([at_tiles(10, 5, 5, 6, 6, native)], None, None) == levels


def test_asking_for_more_than_the_imagery_holds_is_refused():
    source = at_tiles(10, 700, 400, 701, 401, 18.2)
    assert choose_levels([source], (15, 19), None) == (15, 19)
    with pytest.raises(InputError, match="ask for 18 or coarser"):
        choose_levels([source], (18, 20), None)


@given(low=st.floats(20, 500), ratio=st.floats(1, 4))
def test_with_flight_heights_a_picture_fills_a_tile_at_some_level(low, ratio):
    source = at_tiles(10, 700, 400, 701, 401, 22.0)
    levels = choose_levels([source], None, (low, low * ratio))
    assert levels == tuple(range(levels[0], levels[-1] + 1))
    lat = float(pixel_to_latlon(0, 400.5 * 256, 10)[0])
    for agl_m in (low, low * ratio):
        fills = [1.35 * agl_m / (256 * pixel_size_m(lat, n)[0]) for n in levels]
        assert any(0.7 < f < 2.0 for f in fills)


CAMERAS = st.builds(
    Camera,
    width_px=st.integers(320, 8000),
    height_px=st.integers(240, 6000),
    horizontal_fov_deg=st.floats(10, 120),
)


@given(
    camera=CAMERAS,
    low=st.floats(5, 2000),
    ratio=st.floats(1, 8),
    between=st.floats(0, 1),
    south=st.floats(-75, 74),
    north=st.floats(0, 1),
    native=st.floats(10, 23),
)
def test_at_every_height_the_flight_finds_the_level_it_would_choose_of_all(
    camera, low, ratio, between, south, north, native
):
    source = at_tiles(10, 700, 400, 701, 401, native)
    area = box(7.0, south, 7.5, south + north)
    levels = choose_levels([source], None, (low, low * ratio), camera, area)
    every = range(8, math.floor(native + 0.5) + 1)
    agl_m, lat_deg = low * ratio**between, south + north * between
    wanted = choose_level(every, agl_m, camera, lat_deg)
    assert wanted in levels
    assert choose_level(levels, agl_m, camera, lat_deg) == wanted
    for before in levels:  # a level is kept for a little higher and lower
        kept = choose_level(every, agl_m, camera, lat_deg, before)
        assert kept in levels


@given(camera=CAMERAS, low=st.floats(5, 2000), ratio=st.floats(1, 8))
def test_no_level_is_made_that_no_height_chooses(camera, low, ratio):
    source = at_tiles(10, 700, 400, 701, 401, 24.0)
    area = box(7.0, 46.0, 7.5, 46.0001)
    levels = choose_levels([source], None, (low, low * ratio), camera, area)
    heights = np.geomspace(low, low * ratio, 400)
    assert set(levels) == {choose_level(range(8, 25), h, camera, 46.0) for h in heights}
