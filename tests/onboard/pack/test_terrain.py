from types import SimpleNamespace

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.geodesy import pixel_to_latlon
from onboard.pack import terrain as terrain_file
from onboard.pack.mbtiles import MBTiles, MBTilesWriter
from onboard.pack.terrain import RETRY_S, Terrain, decode_heights, encode_heights

LEVEL, X, Y = 12, 3000, 1700


def plane(x0, y0):
    """Heights that rise 0.5 m a pixel to the east and 0.25 to the south."""
    rows, cols = np.mgrid[0:256, 0:256]
    return 100.0 + 0.5 * (cols + x0 * 256) + 0.25 * (rows + y0 * 256) - 0.5 * X * 256


@pytest.fixture
def terrain(tmp_path):
    writer = MBTilesWriter(tmp_path / "t.mbtiles")
    for x, y in ((X, Y), (X + 1, Y)):
        writer.put(LEVEL, x, y, encode_heights(plane(x, y)))
    writer.commit()
    writer.close()
    return Terrain(tmp_path / "t.mbtiles", LEVEL, 2.0)


def test_heights_come_back_to_a_step_and_unknown_ones_as_nan():
    heights = plane(X, Y)
    heights[3, 4] = np.nan
    again = decode_heights(encode_heights(heights), "t")
    assert np.isnan(again[3, 4]) and np.isnan(again).sum() == 1
    assert np.nanmax(np.abs(again - heights)) <= 0.051
    assert encode_heights(np.full((256, 256), np.nan)) is None


def test_between_pixels_and_across_tiles_the_plane_is_met(terrain):
    x, y = np.array([256 * X + 10.3, 256 * X + 256.1]), np.array([256 * Y + 20.9, 256 * Y + 99.5])
    lat, lon = pixel_to_latlon(x, y, LEVEL)
    wanted = 100.0 + 0.5 * (x - 0.5 - X * 256) + 0.25 * (y - 0.5)
    assert np.abs(terrain.heights_m(lat, lon) - wanted).max() < 0.06


def test_where_nothing_is_known_there_is_no_height(terrain):
    lat, lon = pixel_to_latlon(256 * X - 5.0, 256 * Y + 5.0, LEVEL)
    assert terrain.height_m(float(lat), float(lon)) is None


def test_a_tile_that_is_no_terrain_is_named():
    with pytest.raises(InputError, match="12/1/2"):
        decode_heights(b"nothing", "t.mbtiles: 12/1/2")


def test_points_far_apart_are_read_as_those_nearby(terrain):
    rng = np.random.default_rng(3)
    x, y = 256 * X + rng.uniform(1, 510, 300), 256 * Y + rng.uniform(1, 250, 300)
    lat, lon = pixel_to_latlon(x, y, LEVEL)
    together = terrain.heights_m(lat, lon)  # one window
    alone = [terrain.height_m(float(a), float(b)) for a, b in zip(lat, lon, strict=True)]
    far = terrain.heights_m(np.append(lat, lat[0] - 60.0), np.append(lon, lon[0] - 60.0))
    assert np.allclose(together, alone) and np.array_equal(together, far[:-1])
    assert np.isfinite(together).all() and np.isnan(far[-1])


def test_a_tile_that_cannot_be_read_is_tried_again_after_a_while(terrain, monkeypatch):
    reads, told, now_s = [], [], [50.0]
    read = MBTiles.tile

    def failing(self, level, x, y):
        reads.append((x, y))
        if x == X and now_s[0] < 60.0:
            raise InputError(f"{level}/{x}/{y}: the card is gone")
        return read(self, level, x, y)

    monkeypatch.setattr(MBTiles, "tile", failing)
    monkeypatch.setattr(terrain_file, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    in_flight = terrain.with_gaps(told.append)
    bad, good = (pixel_to_latlon(256 * X + dx, 256 * Y + 20.0, LEVEL) for dx in (20.0, 300.0))
    for _ in range(3):
        assert in_flight.height_m(*map(float, bad)) is None
        assert in_flight.height_m(*map(float, good)) is not None
    assert reads == [(X, Y), (X + 1, Y)]
    assert told == [f"{LEVEL}/{X}/{Y}: the card is gone"] * 3
    now_s[0] += RETRY_S
    for _ in range(2):
        assert in_flight.height_m(*map(float, bad)) is not None
    assert reads == [(X, Y), (X + 1, Y), (X, Y)] and len(told) == 3
