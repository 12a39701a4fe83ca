from pathlib import Path

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import box

from maps.cells.cell import Cell, root_level
from maps.cells.recipe import Opened, Recipe
from maps.plan import tile_box
from maps.sources.tile_source import open_mbtiles
from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.pack.pack_manifest import PackModel
from tests.maps.small_imagery import texture, write_mbtiles
from tests.maps.test_plan import at_tiles


def opened(sources, levels, area=None):
    wkt = None if area is None else shapely.to_wkt(area, rounding_precision=-1)
    return Opened(Recipe((), None, levels, wkt, (), PackModel("m", "0" * 64, 4), Path()), sources)


def finest(of):
    return [tile for cell in of.cells() for tile in of.finest_tiles(cell)]


def test_the_tiles_are_the_union_of_the_sources():
    of = opened([at_tiles(19, 10, 10, 13, 12), at_tiles(19, 12, 11, 14, 13)], (17, 19))
    first = {(x, y) for x in range(10, 13) for y in range(10, 12)}
    second = {(x, y) for x in range(12, 14) for y in range(11, 13)}
    assert of.cells() == [Cell(14, 0, 0)]
    assert finest(of) == sorted(first | second, key=lambda t: (t[1], t[0]))


def test_every_tile_lies_in_one_cell_that_knows_the_sources_there():
    sources = [at_tiles(19, 60, 20, 70, 40), at_tiles(19, 66, 33, 67, 34)]
    of = opened(sources, (18, 19))
    assert [(c.x, c.y) for c in of.cells()] == [(1, 0), (2, 0), (1, 1), (2, 1)]
    assert len(finest(of)) == len(set(finest(of))) == 10 * 20
    assert of.sources_at(Cell(14, 2, 1)) == sources
    assert of.sources_at(Cell(14, 1, 0)) == sources[:1]
    assert of.sources_at(Cell(14, 5, 5)) == []


def test_an_area_keeps_the_tiles_it_touches_or_says_where_the_imagery_is():
    source = at_tiles(10, 700, 400, 708, 408)
    north, west = pixel_to_latlon(702.5 * 256, 403.5 * 256, 10)
    south, east = pixel_to_latlon(703.5 * 256, 404.5 * 256, 10)
    area = box(float(west), float(south), float(east), float(north))
    assert set(finest(opened([source], (10,), area))) == {
        (702, 403),
        (703, 403),
        (702, 404),
        (703, 404),
    }
    with pytest.raises(InputError, match=r"outside the imagery, which covers 66\.09"):
        opened([source], (10,), box(-10, -10, -9, -9)).cells()


def test_an_area_that_ends_at_a_tile_s_border_takes_the_tile_beyond_in():
    source = at_tiles(10, 700, 400, 708, 408)
    north, west = pixel_to_latlon(703 * 256, 402 * 256, 10)
    south, east = pixel_to_latlon(704 * 256, 403 * 256, 10)
    area = box(float(west), float(south), float(east), float(north))
    of = opened([source], (10,), area)
    assert {(x, y) for x in (702, 703, 704) for y in (401, 402, 403)} == set(finest(of))
    near = opened([at_tiles(18, 0, 60_000, 1 << 18, 60_100)], (18,), area)
    assert len(near._sources_at) < 200  # of 32,768 around the world


def test_scattered_tiles_need_an_area(tmp_path):
    """Both sides of the antimeridian."""
    last = (1 << 18) - 1
    write_mbtiles(tmp_path / "a.mbtiles", texture(512, 512), 18, last - 1, 140_000)
    source = open_mbtiles(write_mbtiles(tmp_path / "a.mbtiles", texture(512, 512), 18, 0, 140_000))
    with pytest.raises(InputError, match=r"a\.mbtiles: its tiles fill 0.002% .*--area, each side"):
        opened([source], (18,)).cells()
    found = finest(opened([source], (18,), box(*tile_box(last, 140_000, 18)).buffer(-1e-5)))
    assert found == [(last, 140_000)]


@given(st.sets(st.integers(8, 24), min_size=1), st.data())
def test_no_tile_of_any_level_reaches_over_a_cell(chosen, data):
    levels = tuple(sorted(chosen))
    root = root_level(levels)
    assert root <= levels[0] and levels[-1] - root >= 5
    level = data.draw(st.sampled_from(levels))
    col, row = (data.draw(st.integers(0, 2 ** (level + 1) - 1)) for _ in range(2))
    steps = level - root
    cell = Cell(root, col >> (steps + 1), row >> (steps + 1))  # of the upper left corner
    for x in {col // 2, (col + 1) // 2}:
        for y in {row // 2, (row + 1) // 2}:
            (home,) = (c for c in cell.needed() if (c.x, c.y) == (x >> steps, y >> steps))
            x0, y0, x1, y1 = home.tiles(level)
            assert x0 <= x < x1 and y0 <= y < y1
            assert cell in home.needing()


def test_a_cell_is_known_by_its_name():
    assert Cell.named(Cell(13, 6075, 3431).name) == Cell(13, 6075, 3431)
    assert Cell.named("scratch") is Cell.named("z1-2") is Cell.named("z1-2-3x") is None
