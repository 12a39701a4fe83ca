"""Warping is judged by where known marks come out."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.enums import ColorInterp

from maps.raster_source import RasterSource
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel
from tests.maps.small_imagery import GSD_M, LEVEL, ORIGIN, UTM, texture, write_tif

MARKS = ((60, 50), (300, 80), (180, 330), (400, 420))  # (column, row)


def marked() -> np.ndarray:
    picture = np.full((480, 460, 3), 60, np.uint8)
    for col, row in MARKS:
        cv2.circle(picture, (col, row), 6, (230, 230, 230), -1)
    return picture


def centroid(grey: np.ndarray, x: float, y: float) -> tuple[float, float]:
    """Of the bright spot within 20 px of (x, y), in the coordinates of pixel edges."""
    x0, y0 = round(x) - 20, round(y) - 20
    patch = grey[y0 : y0 + 40, x0 : x0 + 40].astype(float) - 60
    total = patch.sum()
    assert total > 1000, "no mark here"
    ys, xs = np.mgrid[0:40, 0:40] + 0.5
    return x0 + (patch * xs).sum() / total, y0 + (patch * ys).sum() / total


@pytest.mark.parametrize("level", [LEVEL - 1, LEVEL, LEVEL + 1])
def test_marks_come_out_where_their_coordinates_say(tmp_path, level):
    source = RasterSource(write_tif(tmp_path / "a.tif", marked()))
    to_wgs84 = Transformer.from_crs(UTM, 4326, always_xy=True)
    west, _, _, north = source.bounds_m
    scale = 256 * 2**level / (2 * np.pi * 6378137.0)
    left, top = int((west + np.pi * 6378137.0) * scale), int((np.pi * 6378137.0 - north) * scale)
    picture = source.read(level, left - 20, top - 20, 1200, 1200)
    for col, row in MARKS:
        lon, lat = to_wgs84.transform(
            ORIGIN[0] + (col + 0.5) * GSD_M, ORIGIN[1] - (row + 0.5) * GSD_M
        )
        x, y = latlon_to_pixel(lat, lon, level)
        expected = float(x) - left + 20, float(y) - top + 20
        assert centroid(picture[:, :, 1], *expected) == pytest.approx(expected, abs=0.1)


def test_native_level_is_that_of_its_ground_size(tmp_path):
    source = RasterSource(write_tif(tmp_path / "a.tif", texture(300, 300), gsd_m=0.6))
    metres_per_px = 156543.03 * np.cos(np.radians(28.02)) / 2**source.native_level
    assert metres_per_px == pytest.approx(0.6, rel=0.01)


def covered(source: RasterSource, level: int = LEVEL) -> np.ndarray:
    """The whole source at a level."""
    scale = 256 * 2**level / (2 * np.pi * 6378137.0)
    west, south, east, north = (v * scale for v in source.bounds_m)
    half = 128 * 2**level
    box = int(west + half), int(half - north), int(east - west) + 1, int(north - south) + 1
    return source.read(level, *box)


def test_outside_is_blank_and_inside_never(tmp_path):
    picture = texture(300, 300)
    picture[100:110, 100:110] = 0  # a black thing is a thing
    source = RasterSource(write_tif(tmp_path / "a.tif", picture))
    out = covered(source)
    assert out[30:-30, 30:-30].any(axis=2).all()
    assert not source.read(LEVEL, 0, 0, 64, 64).any()


@pytest.mark.parametrize("kind", ["alpha", "nodata", "mask"])
def test_holes_in_every_form_are_blank(tmp_path, kind):
    picture = texture(300, 300)
    hole = np.zeros((300, 300), bool)
    hole[100:200, 100:200] = True
    path = tmp_path / "a.tif"
    if kind == "alpha":
        alpha = np.where(hole, 0, 255).astype(np.uint8)
        write_tif(path, np.dstack([picture, alpha]))
    elif kind == "nodata":
        picture[hole] = 0
        write_tif(path, picture, nodata=0)
    else:
        write_tif(path, picture)
        with rasterio.open(path, "r+") as file:
            file.write_mask(~hole)
    out = covered(RasterSource(path))
    share = 1 - out.any(axis=2)[20:-20, 20:-20].mean()
    centre = out[out.shape[0] // 2 - 20 :, out.shape[1] // 2 - 20 :][:40, :40]
    assert not centre.any()
    assert share == pytest.approx(1 / 9, abs=0.06)


def test_grey_and_16_bits_are_shown(tmp_path):
    grey = texture(300, 300)[:, :, :1]
    out = covered(RasterSource(write_tif(tmp_path / "g.tif", grey)))
    assert np.array_equal(out[:, :, 0], out[:, :, 2]) and out.std() > 10
    deep = texture(300, 300).astype(np.uint16) * 40
    out = covered(RasterSource(write_tif(tmp_path / "d.tif", deep)))
    assert out[50:-50, 50:-50].std() > 30 and out.max() == 255


def test_colours_keep_their_order_and_infrared_is_left_out(tmp_path):
    picture = np.full((200, 200, 4), (10, 120, 230, 77), np.uint8)  # B, G, R, NIR
    path = write_tif(tmp_path / "a.tif", picture)
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [*list(file.colorinterp)[:3], ColorInterp.undefined]
    out = covered(RasterSource(path))
    assert out[100, 100] == pytest.approx([10, 120, 230], abs=1)


def test_a_world_file_with_a_prj_or_a_given_crs(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), texture(200, 200))
    (tmp_path / "a.jgw").write_text(f"0.5\n0\n0\n-0.5\n{ORIGIN[0]}\n{ORIGIN[1]}\n")
    with pytest.raises(InputError, match="--crs"):
        RasterSource(tmp_path / "a.jpg")
    given = RasterSource(tmp_path / "a.jpg", rasterio.crs.CRS.from_string(UTM))
    (tmp_path / "a.prj").write_text(rasterio.crs.CRS.from_string(UTM).to_wkt())
    assert RasterSource(tmp_path / "a.jpg").bounds_m == given.bounds_m
    (tmp_path / "a.prj").write_text("nonsense")
    with pytest.raises(InputError, match=r"a\.prj"):
        RasterSource(tmp_path / "a.jpg")


def test_the_file_tells_its_date(tmp_path):
    path = write_tif(tmp_path / "a.tif", texture(200, 200))
    assert RasterSource(path).date is None
    with rasterio.open(path, "r+") as file:
        file.update_tags(TIFFTAG_DATETIME="2020:08:31 12:00:00")
    assert RasterSource(path).date == "2020-08-31"


def test_what_cannot_be_placed_or_read_is_named(tmp_path):
    with pytest.raises(InputError, match="not georeferenced"):
        RasterSource(write_tif(tmp_path / "n.tif", texture(200, 200), crs=None))
    (tmp_path / "j.tif").write_bytes(b"junk" * 100)
    with pytest.raises(InputError, match=r"j\.tif: cannot be read"):
        RasterSource(tmp_path / "j.tif")


def test_a_truncated_file_is_named(tmp_path):
    path = write_tif(tmp_path / "a.tif", texture(600, 600), tiled=True, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"a\.tif: cannot be read"):
        covered(RasterSource(path))


def test_a_palette_says_how_to_convert(tmp_path):
    path = tmp_path / "p.tif"
    write_tif(path, texture(200, 200)[:, :, :1], photometric="palette")
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {i: (i, 0, 0, 255) for i in range(256)})
    with pytest.raises(InputError, match="expand rgb"):
        RasterSource(path)


def test_more_files_than_may_be_open_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("maps.raster_source.OPEN_LIMIT", 2)
    sources = [
        RasterSource(write_tif(tmp_path / f"{i}.tif", texture(100, 100, seed=i))) for i in range(5)
    ]
    first = [covered(source) for source in sources]
    again = [covered(source) for source in sources]
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], first[1])
    open_files = [Path(f).name for f in map(os.readlink, _descriptors()) if f.endswith(".tif")]
    assert len(open_files) <= 2


def _descriptors() -> list[Path]:
    return [f for f in Path("/proc/self/fd").iterdir() if f.is_symlink()]
