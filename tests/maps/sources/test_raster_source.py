"""Warping is judged by where known marks come out."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.transform import Affine, from_origin

from maps.sources.raster_source import RasterSource
from maps.sources.read_from import read_from
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


def test_a_palette_is_shown_in_its_colours_and_its_nodata_is_a_hole(tmp_path):
    numbers = np.repeat(np.arange(3, dtype=np.uint8), 100)[None, :, None].repeat(300, axis=0)
    path = write_tif(tmp_path / "p & q.tif", numbers, photometric="palette", nodata=1)
    with rasterio.open(path, "r+") as file:
        file.write_colormap(1, {0: (200, 10, 90, 255), 1: (50, 50, 50, 255), 2: (30, 120, 60, 255)})
    out = covered(RasterSource(path))
    height, width = out.shape[:2]
    assert out[height // 2, width // 6] == pytest.approx([90, 10, 200], abs=1)  # B, G, R
    assert not out[height // 2, width // 2].any()
    assert out[height // 2, width * 5 // 6] == pytest.approx([60, 120, 30], abs=1)


def placed(path: Path, transform: Affine, picture: np.ndarray, crs: str = UTM, **options) -> Path:
    bands = np.moveaxis(picture, 2, 0)[::-1]
    count, height, width = bands.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "crs": crs}
    with rasterio.open(
        path, "w", dtype=picture.dtype, transform=transform, **profile, **options
    ) as f:
        f.write(np.ascontiguousarray(bands))
    return path


def test_a_turned_picture_lies_where_it_says_and_keeps_its_ground_size(tmp_path):
    turned = Affine.translation(*ORIGIN) @ Affine.rotation(30) @ Affine.scale(GSD_M, -GSD_M)
    source = RasterSource(placed(tmp_path / "r.tif", turned, marked()))
    straight = RasterSource(write_tif(tmp_path / "s.tif", marked()))
    assert source.native_level == pytest.approx(straight.native_level, abs=0.01)
    scale = 256 * 2**LEVEL / (2 * np.pi * 6378137.0)
    west, _, _, north = source.bounds_m
    left, top = int((west + np.pi * 6378137.0) * scale), int((np.pi * 6378137.0 - north) * scale)
    picture = source.read(LEVEL, left, top, 1200, 1200)
    to_wgs84 = Transformer.from_crs(UTM, 4326, always_xy=True)
    for col, row in MARKS:
        lon, lat = to_wgs84.transform(*(turned @ (col + 0.5, row + 0.5)))
        x, y = latlon_to_pixel(lat, lon, LEVEL)
        expected = float(x) - left, float(y) - top
        assert centroid(picture[:, :, 1], *expected) == pytest.approx(expected, abs=0.3)


def test_a_picture_whose_rows_go_north_is_the_same(tmp_path):
    north_up = RasterSource(write_tif(tmp_path / "n.tif", texture(300, 300)))
    upward = Affine(GSD_M, 0, ORIGIN[0], 0, GSD_M, ORIGIN[1] - 300 * GSD_M)
    south_up = RasterSource(placed(tmp_path / "s.tif", upward, texture(300, 300)[::-1]))
    assert np.array_equal(covered(north_up), covered(south_up))


@pytest.mark.parametrize(
    ("crs", "place", "pixel"),
    [
        ("EPSG:4326", (87.0, 28.0), 5e-6),  # the authority says latitude first
        ("EPSG:2393", (3_500_000.0, 6_800_000.0), 0.6),  # northing first
        ("EPSG:32645+5773", ORIGIN, 0.6),  # with a height
        ("EPSG:3395", (9_684_000.0, 3_230_000.0), 0.6),
    ],
)
def test_the_order_of_axes_is_the_files_not_the_authoritys(tmp_path, crs, place, pixel):
    path = placed(tmp_path / "a.tif", from_origin(*place, pixel, pixel), texture(200, 200), crs)
    source = RasterSource(path)
    flat = "EPSG:32645" if "+" in crs else crs
    x, y = Transformer.from_crs(flat, 3857, always_xy=True).transform(*place)
    assert source.bounds_m[0] == pytest.approx(x, abs=10)
    assert source.bounds_m[3] == pytest.approx(y, abs=10)
    assert covered(source)[40:-40, 40:-40].any(axis=2).all()


@pytest.mark.parametrize("deep", [False, True])
def test_grey_with_alpha(tmp_path, deep):
    kind, scale, opaque = (np.uint16, 100, 65535) if deep else (np.uint8, 1, 255)
    grey = texture(300, 300)[:, :, :1].astype(kind) * kind(scale)
    alpha = np.zeros_like(grey)
    alpha[150:] = opaque
    path = placed(
        tmp_path / "a.tif",
        from_origin(*ORIGIN, GSD_M, GSD_M),
        np.dstack([alpha, grey]),
        photometric="minisblack",
        alpha="yes",
    )
    out = covered(RasterSource(path))
    middle = out.shape[0] // 2
    assert not out[: middle - 20].any() and out[middle + 20 : -20, 20:-20].any(axis=2).all()
    assert out[middle + 20 :].std() > 10


def test_what_is_not_a_number_is_a_hole_also_when_nobody_says_so(tmp_path):
    picture = texture(300, 300).astype(np.float32)
    picture[:150] = np.nan
    out = covered(RasterSource(write_tif(tmp_path / "a.tif", picture)))
    middle = out.shape[0] // 2
    assert not out[: middle - 5].any() and out[middle + 20 : -20, 20:-20].any(axis=2).all()


def test_overviews_change_nothing(tmp_path):
    plain = write_tif(tmp_path / "p.tif", texture(600, 600), tiled=True)
    fine = covered(RasterSource(plain), LEVEL - 2)
    with rasterio.open(plain, "r+") as file:
        file.build_overviews([2, 4, 8], rasterio.enums.Resampling.nearest)
    assert np.array_equal(covered(RasterSource(plain), LEVEL - 2), fine)


def test_a_virtual_raster_without_one_of_its_parts_is_named(tmp_path):
    write_tif(tmp_path / "part.tif", texture(300, 300))
    size, tie = 'rasterXSize="300" rasterYSize="300"', f"{ORIGIN[0]},0.6,0,{ORIGIN[1]},0,-0.6"
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{b}"><NoDataValue>{b}</NoDataValue><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">part.tif</SourceFilename><SourceBand>{b}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for b in (1, 2, 3)
    )
    path = tmp_path / "a.vrt"
    text = f"<VRTDataset {size}><SRS>{UTM}</SRS><GeoTransform>{tie}</GeoTransform>{bands}"
    path.write_text(f"{text}</VRTDataset>")
    with pytest.raises(InputError, match="different nodata values"):
        RasterSource(path)
    path.write_text(re.sub("<NoDataValue>.</NoDataValue>", "", path.read_text()))
    assert covered(RasterSource(path)).any()
    (tmp_path / "part.tif").rename(tmp_path / "elsewhere.tif")
    with pytest.raises(InputError, match=r"a\.vrt: cannot be read.*part\.tif"):
        covered(RasterSource(path))


SITE = 'LOCAL_CS["site",UNIT["metre",1]]'


@pytest.mark.parametrize(
    ("crs", "place", "pixel", "sentence"),
    [
        ("EPSG:4326", (179.999, 10.0), 1e-5, "across the 180th meridian"),
        ("EPSG:32601", (201_000.0, 3_000_000.0), 20.0, "across the 180th meridian"),
        (SITE, (0.0, 0.0), 1.0, "a site's own"),
        ("EPSG:4978", (0.0, 0.0), 1.0, "a site's own"),
    ],
)
def test_places_that_no_map_has_are_refused_by_name(tmp_path, crs, place, pixel, sentence):
    path = placed(tmp_path / "a.tif", from_origin(*place, pixel, pixel), texture(200, 200), crs)
    with pytest.raises(InputError, match=sentence):
        RasterSource(path)


def test_ground_control_points_say_how_to_warp(tmp_path):
    points = [
        GroundControlPoint(row, col, ORIGIN[0] + col, ORIGIN[1] - row)
        for row, col in ((0, 0), (0, 200), (200, 0))
    ]
    profile = {"driver": "GTiff", "count": 3, "height": 200, "width": 200, "dtype": "uint8"}
    with rasterio.open(tmp_path / "g.tif", "w", gcps=points, crs=UTM, **profile) as file:
        file.write(np.moveaxis(texture(200, 200), 2, 0))
    with pytest.raises(InputError, match="ground control points only; warp it"):
        RasterSource(tmp_path / "g.tif")


def test_more_files_than_may_be_open_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("maps.sources.raster_source.OPEN_LIMIT", 2)
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


def vrt_of(path: Path, part: str) -> Path:
    path.write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32645</SRS>'
        "<GeoTransform>500000, 0.6, 0, 3100000, 0, -0.6</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">{part}</SourceFilename><SourceBand>1</SourceBand>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    return path


def test_a_change_below_virtual_rasters_of_virtual_rasters_is_seen(tmp_path):
    part = write_tif(tmp_path / "part.tif", texture(64, 64))
    vrt_of(tmp_path / "one.vrt", "part.tif")
    vrt_of(tmp_path / "two.vrt", f"../{tmp_path.name}/one.vrt")
    source = RasterSource(vrt_of(tmp_path / "all.vrt", "two.vrt"))
    assert [f.name for f in source.files] == ["all.vrt", "one.vrt", "part.tif", "two.vrt"]
    before = source.mark(18, source.bounds_m)
    os.utime(part, ns=(1, 1))
    assert RasterSource(tmp_path / "all.vrt").mark(18, source.bounds_m) != before


def test_virtual_rasters_in_a_circle_or_without_end_are_left(tmp_path, monkeypatch):
    for one, other in (("a", "b"), ("b", "a")):
        vrt_of(tmp_path / f"{one}.vrt", f"../{tmp_path.name}/{other}.vrt")
    with rasterio.open(tmp_path / "a.vrt") as dataset:
        assert len(read_from(tmp_path / "a.vrt", dataset)) == 2
        monkeypatch.setattr("maps.sources.read_from.MOST_VIRTUAL", 0)
        with pytest.raises(InputError, match=r"a\.vrt: is made of more than 0 virtual"):
            read_from(tmp_path / "a.vrt", dataset)


def test_a_picture_has_changed_when_a_part_of_its_vrt_or_its_world_file_has(tmp_path):
    part = write_tif(tmp_path / "part.tif", texture(64, 64))
    vrt = vrt_of(tmp_path / "all.vrt", "part.tif")
    cv2.imwrite(str(tmp_path / "w.png"), texture(64, 64))
    (tmp_path / "w.pgw").write_text("0.6\n0\n0\n-0.6\n500000\n3100000\n")
    (tmp_path / "w.prj").write_text(CRS.from_epsg(32645).to_wkt())
    for picture, changed in ((vrt, part), ("w.png", "w.pgw"), ("w.png", "w.prj")):
        source = RasterSource(tmp_path / picture)
        before = source.mark(18, source.bounds_m)
        os.utime(tmp_path / changed, ns=(1, 1))
        assert RasterSource(tmp_path / picture).mark(18, source.bounds_m) != before
