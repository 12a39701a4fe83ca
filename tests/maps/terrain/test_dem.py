import os
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from maps.terrain import DemSaid, open_dems
from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, pixel_to_latlon
from onboard.messages import TILE_PX
from onboard.pack.mbtiles import MBTilesWriter
from onboard.pack.terrain import Terrain, encode_heights
from tests.maps.terrain.small_dem import hills, write_dem, write_hgt

SAID = DemSaid(datums=("egm96",), sigmas_m=(1.0,))
UTM = "EPSG:32632"
CORNER = (400_000.0, 5_150_000.0)  # 7.69 E, 46.5 N
LAT, LON = 46.45, 7.75  # within


def centres(level, x, y):
    rows, cols = np.mgrid[:TILE_PX, :TILE_PX] + 0.5
    return pixel_to_latlon(x * TILE_PX + cols, y * TILE_PX + rows, level)


def tile_at(lat, lon, level):
    x, y = latlon_to_pixel(lat, lon, level)
    return level, int(x // TILE_PX), int(y // TILE_PX)


@pytest.mark.parametrize(
    ("crs", "west", "north", "step"),
    [
        (UTM, *CORNER, 25.0),
        ("EPSG:4326", 7.6, 46.55, 0.0003),
        ("EPSG:3857", 847_000.0, 5_860_000.0, 30.0),
        ("EPSG:2056", 2_615_000.0, 1_155_000.0, 25.0),  # Swiss
    ],
)
def test_a_tile_holds_the_heights_at_its_pixels_centres(tmp_path, crs, west, north, step):
    dem = open_dems([write_dem(tmp_path / "a.tif", crs, west, north, step, (600, 800))], SAID)
    tile = tile_at(LAT, LON, round(dem.native_level))
    heights = dem.heights_m(*tile)
    known = np.isfinite(heights)
    assert known.mean() > 0.5
    truth = hills(*centres(*tile))
    difference = np.abs(heights - truth)[known]
    assert np.percentile(difference, 95) < 0.01
    assert difference.max() < 0.3  # half a post's slope, at the model's border
    assert dem.heights_at_m(np.array([LAT]), np.array([LON]))[0] == pytest.approx(
        hills(LAT, LON), abs=0.01
    )


def test_the_level_is_that_of_the_posts(tmp_path):
    dem = open_dems([write_dem(tmp_path / "a.tif", "EPSG:3857", 0, 10, 4.777, (8, 8))], SAID)
    assert dem.native_level == pytest.approx(15.0, abs=0.01)


def test_a_virtual_raster_s_parts_are_among_the_files_of_a_tile(tmp_path):
    write_dem(tmp_path / "part.tif", UTM, *CORNER, 25.0, (600, 800))
    (tmp_path / "all.vrt").write_text(
        f'<VRTDataset rasterXSize="800" rasterYSize="600"><SRS>{UTM}</SRS>'
        f"<GeoTransform>{CORNER[0]}, 25, 0, {CORNER[1]}, 0, -25</GeoTransform>"
        '<VRTRasterBand dataType="Float32" band="1"><SimpleSource><SourceFilename '
        'relativeToVRT="1">part.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    found = open_dems([tmp_path / "all.vrt"], SAID).files_in(*tile_at(LAT, LON, 13))
    assert found == (tmp_path / "all.vrt", tmp_path / "part.tif")


@pytest.mark.parametrize("count", [1201, 3601])
def test_srtm_tiles_of_both_spacings_join_without_a_gap(tmp_path, count):
    def sloped(lat, lon):
        return 1000.0 + 400.0 * (np.asarray(lon) - 7.0) + 0.0 * np.asarray(lat)

    for west in (7, 8):
        write_hgt(tmp_path / f"N46E{west:03}.hgt", 46, west, count, sloped)
    dem = open_dems([tmp_path])
    tile = tile_at(46.5, 8.0, 12)
    heights = dem.heights_m(*tile)
    assert np.isfinite(heights).all()
    assert np.abs(heights - sloped(*centres(*tile))).max() < 0.55  # whole metres
    assert len(dem.files_in(*tile)) == 2
    assert dem.files_in(*tile_at(46.5, 7.2, 12)) == (tmp_path / "N46E007.hgt",)
    source = dem.source(12)
    assert source.name == "SRTM (surface model), N46E007.hgt, 2 files"
    assert (source.datum, source.licence) == ("EGM96 height", "public domain")
    assert 5.0 < source.sigma_m < 6.0


def test_tiles_that_only_touch_are_interpolated_across_the_seam(tmp_path):
    """Copernicus tiles do not overlap; half a post at each side of the border must not be flat."""
    steep = lambda lat, lon: 5e5 * (np.asarray(lon) - 7.0) + 0 * np.asarray(lat)  # noqa: E731
    step = 1 / 3600
    for name, west in (("E007", 7.0), ("E008", 7.0 + 20 * step)):
        path = tmp_path / f"Copernicus_DSM_COG_10_N46_00_{name}_00_DEM.tif"
        write_dem(path, "EPSG:4326", west, 46.0 + 20 * step, step, (20, 20), steep)
    dem = open_dems([tmp_path])
    lon = np.linspace(7.0 + 15 * step, 7.0 + 25 * step, 101)
    found = dem.heights_at_m(np.full(101, 46.0 + 10 * step), lon)
    assert np.abs(found - steep(0.0, lon)).max() < 0.05
    assert dem.source(12).datum == "EGM2008 height"
    assert dem.source(12).sigma_m == pytest.approx(np.hypot(4 / 1.6449, 1.0), abs=0.01)
    assert "Airbus" in dem.source(12).attribution


def test_later_models_lie_on_top_where_they_know(tmp_path):
    low = write_dem(tmp_path / "low.tif", UTM, *CORNER, 25.0, (400, 400), lambda a, b: 0 * a + 100)
    high = write_dem(
        tmp_path / "high.tif", UTM, CORNER[0] + 3000, CORNER[1] - 3000, 10.0, (200, 200),
        lambda a, b: 0 * a + 200,
    )  # fmt: skip
    dem = open_dems([low, high], SAID)
    to_lonlat = Transformer.from_crs(UTM, 4326, always_xy=True)
    lon, lat = to_lonlat.transform(
        np.array([CORNER[0] + 1000, CORNER[0] + 4000]), np.array([CORNER[1] - 4000] * 2)
    )
    assert list(dem.heights_at_m(lat, lon)) == [100.0, 200.0]
    assert dem.source(12).name == "low.tif; high.tif"


def test_voids_are_unknown_whether_declared_or_not(tmp_path):
    def holed(value):
        def heights(lat, lon):
            out = hills(lat, lon)
            out[100:200, 100:200] = value
            return out

        return heights

    for number, (value, options) in enumerate(
        (
            (-9999.0, {"nodata": -9999.0}),
            (-9999.0, {}),
            (np.nan, {}),
            (-32768, {"dtype": "int16", "nodata": -32768}),
            (65535, {"dtype": "uint16"}),
        )
    ):
        path = write_dem(
            tmp_path / f"{number}.tif", UTM, *CORNER, 25.0, (300, 300), holed(value), **options
        )
        dem = open_dems([path], SAID)
        to_lonlat = Transformer.from_crs(UTM, 4326, always_xy=True)
        lon, lat = to_lonlat.transform(
            CORNER[0] + 25.0 * np.array([50, 150]), CORNER[1] - 25.0 * np.array([50, 150])
        )
        found = dem.heights_at_m(lat, lon)
        assert found[0] == pytest.approx(float(hills(lat[0], lon[0])), abs=1.0)
        assert np.isnan(found[1])


def test_a_known_post_reaches_to_its_pixels_edge_and_no_farther(tmp_path):
    path = write_dem(tmp_path / "a.tif", "EPSG:4326", 7.0, 47.0, 0.001, (10, 10))
    dem = open_dems([path], SAID)
    lat = np.full(4, 46.9955)
    found = dem.heights_at_m(lat, np.array([6.9999, 7.0001, 7.0099, 7.0101]))
    assert list(np.isfinite(found)) == [False, True, True, False]


@settings(max_examples=15, deadline=None)
@given(lat=st.floats(46.42, 46.48), lon=st.floats(7.72, 7.8))
def test_a_tile_and_a_position_agree(tmp_path_factory, lat, lon):
    folder = tmp_path_factory.getbasetemp()
    path = folder / "agree.tif"
    if not path.exists():
        write_dem(path, UTM, *CORNER, 25.0, (600, 800))
    dem = open_dems([path], SAID)
    level, x, y = tile_at(lat, lon, 13)
    rows, cols = centres(level, x, y)
    px, py = latlon_to_pixel(lat, lon, level)
    row, col = int(py - y * TILE_PX), int(px - x * TILE_PX)
    one = dem.heights_at_m(rows[row : row + 1, 0], cols[0, col : col + 1])[0]
    assert dem.heights_m(level, x, y)[row, col] == pytest.approx(one, abs=0.01, nan_ok=True)


def through_a_pack(dem, level, tiles, folder) -> Terrain:
    writer = MBTilesWriter(folder / "terrain.mbtiles")
    for x, y in tiles:
        data = encode_heights(dem.heights_m(level, x, y))
        if data is not None:
            writer.put(level, x, y, data)
    writer.commit()
    writer.close()
    return Terrain(folder / "terrain.mbtiles", level, 1.0)


DATA = Path(os.environ.get("PILOTAGE_DATA", "../shared/data")) / "dem"


@pytest.mark.skipif(
    not DATA.is_dir(), reason="no real elevation models: set PILOTAGE_DATA to the shared data"
)
@pytest.mark.parametrize(
    ("name", "share_m"),
    [
        # Between posts, terrain of the pack's level is interpolated twice: by up to a post's
        # own curvature on the steepest ground, 0.1 m of it by the tiles' steps.
        ("dem_mongon_peru_30m.tif", 0.02),
        ("dsm_2m_alexandria.tif", 0.10),
        ("dtm_2m_alexandria.tif", 0.02),
        ("srtm_zion_90m.tif", 0.02),
    ],
)
def test_real_terrain_through_a_pack_is_what_rasterio_reads(tmp_path, name, share_m):
    """share_m: the median difference as a share of the model's own relief."""
    path = DATA / name
    dem = open_dems([path], SAID)
    level = round(dem.native_level)
    with rasterio.open(path) as file:
        posts = file.read(1, masked=True).astype(float).filled(np.nan)
        posts[np.abs(posts) > 9100] = np.nan
        rows, cols = np.meshgrid(*(np.arange(4, n - 4, 5) for n in posts.shape), indexing="ij")
        x, y = file.xy(rows.ravel(), cols.ravel())
        crs = file.crs
    lon, lat = Transformer.from_crs(crs, 4326, always_xy=True).transform(x, y)
    lon, lat = np.asarray(lon), np.asarray(lat)
    px, py = latlon_to_pixel(lat, lon, level)
    at_x, at_y = ((p // TILE_PX).astype(int).tolist() for p in (px, py))
    tiles = {*zip(at_x, at_y, strict=True)}
    around = {(x + i, y + j) for x, y in tiles for i in (-1, 0, 1) for j in (-1, 0, 1)}
    terrain = through_a_pack(dem, level, sorted(around), tmp_path)
    found, truth = terrain.heights_m(lat, lon), posts[rows, cols].ravel()
    known = np.isfinite(truth) & np.isfinite(found)
    assert known.sum() > 0.98 * np.isfinite(truth).sum()
    difference = np.abs(found - truth)[known]
    assert np.median(difference) < share_m * np.nanstd(posts) + 0.1
    assert np.abs(np.mean((found - truth)[known])) < 0.1
    # Direct sampling, at the posts themselves, is exact.
    some = slice(0, None, max(1, len(lat) // 60))
    assert dem.heights_at_m(lat[some], lon[some]) == pytest.approx(
        truth[some], abs=0.01, nan_ok=True
    )


@pytest.mark.parametrize("name", ["dem_mongon_peru_30m.tif", "dsm_2m_alexandria.tif"])
@pytest.mark.skipif(
    not DATA.is_dir(), reason="no real elevation models: set PILOTAGE_DATA to the shared data"
)
def test_a_real_model_without_a_datum_is_not_guessed_at(name):
    with pytest.raises(InputError, match=rf"{name}: does not say .*--dem-datum egm96"):
        open_dems([DATA / name])


def test_positions_far_apart_are_looked_up_as_near_ones(tmp_path, monkeypatch):
    path = write_dem(tmp_path / "a.tif", UTM, *CORNER, 25.0, (600, 800))
    dem = open_dems([path], SAID)
    random = np.random.default_rng(1)
    lat, lon = random.uniform(46.42, 46.48, 200), random.uniform(7.72, 7.8, 200)
    together = dem.heights_at_m(lat, lon)
    assert np.isfinite(together).all()
    monkeypatch.setattr("maps.terrain.dem_grid.MOST_POSTS", 50)
    assert (dem.heights_at_m(lat, lon) == together).all()
