from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from maps.plan import choose_levels, make_plan, native_ground_size_m, parse_agl, parse_levels
from maps.source import WORLD_M, Source
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m, pixel_to_latlon


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


@pytest.mark.parametrize("text", ["", "a", "19-17", "7", "25", "1-2-3", "17-", "-17", "1e3"])
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


def test_the_plan_is_the_union_of_the_sources_tiles():
    plan = make_plan([at_tiles(19, 10, 10, 13, 12), at_tiles(19, 12, 11, 14, 13)], (17, 19), None)
    first = {(x, y) for x in range(10, 13) for y in range(10, 12)}
    second = {(x, y) for x in range(12, 14) for y in range(11, 13)}
    assert set(plan.finest_tiles) == first | second
    assert list(plan.finest_tiles) == sorted(plan.finest_tiles, key=lambda t: (t[1], t[0]))


def test_an_area_keeps_the_tiles_it_touches_or_says_where_the_imagery_is():
    source = at_tiles(10, 700, 400, 708, 408)
    north, west = pixel_to_latlon(702.5 * 256, 403.5 * 256, 10)
    south, east = pixel_to_latlon(703.5 * 256, 404.5 * 256, 10)
    plan = make_plan([source], (10,), box(float(west), float(south), float(east), float(north)))
    assert set(plan.finest_tiles) == {(702, 403), (703, 403), (702, 404), (703, 404)}
    with pytest.raises(InputError, match=r"outside the imagery, which covers 66\.09"):
        make_plan([source], (10,), box(-10, -10, -9, -9))


def test_native_ground_size_is_the_finest_sources():
    sources = [at_tiles(10, 0, 511, 1, 513, 17.0), at_tiles(10, 0, 511, 1, 513, 18.0)]
    assert native_ground_size_m(sources) == pytest.approx(156543.034 / 2**18, rel=1e-4)
