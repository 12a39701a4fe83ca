from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from onboard.geodesy import (
    MAX_LAT_DEG,
    distance_m,
    distance_to_box_m,
    enu_offset_m,
    latlon_to_pixel,
    offset_latlon,
    pixel_size_m,
    pixel_to_latlon,
)

LATITUDES = st.floats(-84.0, 84.0)
LONGITUDES = st.floats(-179.9, 179.9)
OFFSETS = st.floats(-1000.0, 1000.0)
GEOD = Geod(ellps="WGS84")


@given(LATITUDES, LONGITUDES, st.integers(0, 22))
def test_pixels_and_back(lat, lon, level):
    x, y = latlon_to_pixel(lat, lon, level)
    back_lat, back_lon = pixel_to_latlon(x, y, level)
    assert back_lat == pytest.approx(lat, abs=1e-9)
    assert back_lon == pytest.approx(lon, abs=1e-9)


@given(LATITUDES, LONGITUDES)
def test_pixels_are_epsg_3857(lat, lon):
    """Against PROJ: level 0 spans 2 pi a metres in 256 px, y downwards."""
    easting, northing = Transformer.from_crs(4326, 3857, always_xy=True).transform(lon, lat)
    metres_per_px = 2 * np.pi * 6378137.0 / 256
    x, y = latlon_to_pixel(lat, lon, 0)
    assert x == pytest.approx(128 + easting / metres_per_px, abs=1e-6)
    assert y == pytest.approx(128 - northing / metres_per_px, abs=1e-6)


def test_poles_are_clipped_to_the_map():
    assert latlon_to_pixel(90.0, 0.0, 0)[1] == pytest.approx(0.0, abs=1e-9)
    assert latlon_to_pixel(-90.0, 0.0, 0)[1] == pytest.approx(256.0, abs=1e-9)
    assert pixel_to_latlon(0.0, 0.0, 0)[0] == pytest.approx(MAX_LAT_DEG)


@given(st.floats(-70.0, 70.0), LONGITUDES, OFFSETS, OFFSETS)
def test_offsets_are_geodesic(lat, lon, east, north):
    there = offset_latlon(lat, lon, east, north)
    back = enu_offset_m(lat, lon, *there)
    assert back == pytest.approx((east, north), abs=1e-3)
    assert distance_m(lat, lon, *there) == pytest.approx(np.hypot(east, north), abs=0.02)


def test_offsets_cross_the_date_line():
    lat, lon = offset_latlon(10.0, 179.9999, 100.0, 0.0)
    assert lon < -179.99
    assert enu_offset_m(10.0, 179.9999, lat, lon) == pytest.approx((100.0, 0.0), abs=1e-3)


@given(st.floats(-80.0, 80.0), st.integers(15, 21))
def test_pixel_size_is_what_a_pixel_spans(lat, level):
    x, y = latlon_to_pixel(lat, 12.0, level)
    east = GEOD.inv(12.0, lat, *reversed(pixel_to_latlon(x + 1, y, level)))[2]
    north = GEOD.inv(12.0, lat, *reversed(pixel_to_latlon(x, y + 1, level)))[2]
    assert pixel_size_m(lat, level) == pytest.approx((east, north), rel=1e-4)


@pytest.mark.parametrize(
    ("box", "east", "north", "off_m"),
    [
        ((46.5, 7.0, 46.6, 7.2), 10.0, 10.0, 0.0),
        ((46.5, 7.0, 46.6, 7.2), -3000.0, 10.0, 3000.0),
        ((46.5, 7.0, 46.6, 7.2), 10.0, -500.0, 500.0),
        ((46.5, 7.0, 46.6, 7.2), -300.0, -400.0, 500.0),
        ((-10.0, -180.0, -9.0, -179.0), -2000.0, 10.0, 2000.0),  # over the date line
    ],
)
def test_distance_to_a_box(box, east, north, off_m):
    there = offset_latlon(box[0], box[1], east, north)
    assert distance_to_box_m(box, *there) == pytest.approx(off_m, abs=0.1)
