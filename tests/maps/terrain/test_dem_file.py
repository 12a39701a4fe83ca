import numpy as np
import pytest
import rasterio
from pyproj import CRS
from rasterio.transform import Affine, from_origin

from maps.terrain import DemSaid, open_dems
from maps.terrain.dem_file import open_dem_file
from onboard.errors import InputError
from tests.maps.terrain.small_dem import write_dem, write_hgt, write_posts

FT, US_FT = 0.3048, 1200 / 3937
AT = (400_000.0, 5_150_000.0, 25.0, (20, 20))


def flat(lat, lon):
    return 0 * lat + 1000.0


@pytest.mark.parametrize(
    ("crs", "units", "said", "m_per_unit"),
    [
        ("EPSG:32632", None, None, 1.0),
        ("EPSG:32632", "metre", None, 1.0),
        ("EPSG:32632", "ft", None, FT),
        ("EPSG:32632", "US survey foot", None, US_FT),
        ("EPSG:32632", None, "ft", FT),
        ("EPSG:32632", "ft", "m", 1.0),  # the person knows better
        ("EPSG:2263", None, "us-ft", US_FT),
        ("EPSG:2263", "m", None, 1.0),
        ("EPSG:2263+6360", None, None, US_FT),
        ("EPSG:2263+5773", None, None, 1.0),
    ],
)
def test_heights_are_in_the_unit_that_is_named(tmp_path, crs, units, said, m_per_unit):
    path = write_dem(tmp_path / "a.tif", crs, *AT, flat, units=units)
    datum = None if "+" in crs else "egm96"
    file = open_dem_file(path, datum, sigma_m=1.0, unit=said)
    assert file.posts(3, 3, 2, 2) == pytest.approx(1000.0 * m_per_unit)


@pytest.mark.parametrize(
    ("crs", "units", "datum", "unit", "m_per_unit"),
    [
        ("EPSG:32618", None, "EPSG:6360", None, US_FT),
        ("EPSG:32618", None, "EPSG:8228", None, FT),
        ("EPSG:2263", None, "EPSG:6360", None, US_FT),  # positions in feet too
        ("EPSG:32618", "us-ft", "EPSG:6360", None, US_FT),
        ("EPSG:32618", None, "EPSG:6360", "m", 1.0),  # the person knows better
        ("EPSG:32618", "ft", "navd88", None, FT),  # named without a unit
    ],
)
def test_a_vertical_system_in_feet_is_read_in_feet(tmp_path, crs, units, datum, unit, m_per_unit):
    path = write_dem(tmp_path / "a.tif", crs, *AT, flat, units=units)
    file = open_dem_file(path, datum, sigma_m=1.0, unit=unit)
    assert file.posts(3, 3, 2, 2) == pytest.approx(1000.0 * m_per_unit)


def test_a_product_in_metres_is_not_read_in_feet(tmp_path):
    path = write_hgt(tmp_path / "N46E007.hgt", 46, 7, 1201)
    with pytest.raises(InputError, match="its product and --dem-datum name different units"):
        open_dem_file(path, "EPSG:6360")


@pytest.mark.parametrize(
    ("crs", "options", "said", "sentence"),
    [
        ("EPSG:2263", {}, {}, "positions are in US survey foot.*--dem-unit"),
        ("EPSG:32632", {"units": "fathom"}, {}, "in 'fathom'; give --dem-unit"),
        ("EPSG:32618+6360", {"units": "m"}, {"datum": None}, "different units"),
        ("EPSG:32618", {"units": "m"}, {"datum": "EPSG:6360"}, "different units"),
        ("EPSG:32632", {}, {"sigma_m": None}, "--dem-sigma-m"),
        ("EPSG:32632", {}, {"datum": None}, "--dem-datum egm96"),
        ("EPSG:32632+5773", {}, {"datum": "ellipsoid"}, "'EGM96 height', --dem-datum says ellips"),
        ("EPSG:32632", {}, {"datum": "ellipsoid"}, "projsync.*--dem-offset-m"),
        ("EPSG:4979", {}, {"datum": None}, "ellipsoid.*--dem-offset-m"),
        ("EPSG:32632+5715", {}, {"datum": None}, "counts downwards"),  # mean sea level depth
    ],
)
def test_what_is_not_known_is_asked_for(tmp_path, crs, options, said, sentence):
    at = (7.0, 46.0, 0.0003, (20, 20)) if crs == "EPSG:4979" else AT
    path = write_dem(tmp_path / "a.tif", crs, *at, flat, **options)
    with pytest.raises(InputError, match=rf"a\.tif.*{sentence}"):
        open_dem_file(path, **{"datum": "egm96", "sigma_m": 1.0, **said})


@pytest.mark.parametrize(("offset_m", "height_m"), [(47.5, 952.5), (-2.3, 1002.3), (0.0, 1000.0)])
def test_an_offset_is_subtracted_and_told_as_error(tmp_path, offset_m, height_m):
    path = write_dem(tmp_path / "a.tif", "EPSG:32632", *AT, flat)
    said = DemSaid(datums=("ellipsoid",), offsets_m=(offset_m,), sigmas_m=(0.3,))
    dem = open_dems([path], said)
    file = open_dem_file(path, "ellipsoid", offset_m, 0.3)
    lon, lat = 7.70015, 46.49393
    assert dem.heights_at_m(np.array([lat]), np.array([lon]))[0] == pytest.approx(height_m)
    assert file.sigma_m == pytest.approx(np.hypot(0.3, 1.0))


@pytest.mark.parametrize("datum", ["egm96", "egm2008", "EPSG:5710"])
def test_an_offset_is_for_heights_above_the_ellipsoid_only(tmp_path, datum):
    a = write_dem(tmp_path / "a.tif", "EPSG:32632", *AT, flat)
    b = write_dem(tmp_path / "b.tif", "EPSG:32632", *AT, flat)
    said = {"datums": (datum, "ellipsoid"), "sigmas_m": (1.0,)}
    with pytest.raises(InputError, match=r"a\.tif: .* --dem-offset-m 47.5 is for heights above"):
        open_dems([a, b], DemSaid(**said, offsets_m=(47.5,)))
    dem = open_dems([a, b], DemSaid(**said, offsets_m=(0.0, 47.5)))
    lat, lon = np.array([46.49393]), np.array([7.70015])
    assert dem.heights_at_m(lat, lon)[0] == pytest.approx(952.5)
    assert open_dems([a], DemSaid((datum,), (0.0,), (1.0,))).heights_at_m(lat, lon)[0] == 1000.0


UTM_WKT = CRS.from_epsg(32632).to_wkt("WKT1_GDAL")


@pytest.mark.parametrize("name", ["unknown", "Ellipsoid", "WGS 84 height"])
def test_a_vertical_system_that_is_none_lets_the_person_decide(tmp_path, name):
    wkt = (
        f'COMPD_CS["x",{UTM_WKT},VERT_CS["{name}",VERT_DATUM["{name}",2005],UNIT["metre",1],'
        'AXIS["Up",UP]]]'
    )
    path = write_posts(
        tmp_path / "a.tif", np.full((20, 20), 1000.0), wkt, from_origin(4e5, 5.15e6, 25, 25)
    )
    with pytest.raises(InputError, match=rf"a\.tif: .*'{name}', which is no known.*--dem-datum"):
        open_dem_file(path, sigma_m=1.0)
    for datum, offset_m, height_m in (("egm96", None, 1000.0), ("ellipsoid", 47.5, 952.5)):
        said = DemSaid((datum,), () if offset_m is None else (offset_m,), (1.0,))
        found = open_dems([path], said).heights_at_m(np.array([46.49393]), np.array([7.70015]))
        assert found[0] == pytest.approx(height_m)
    with pytest.raises(InputError, match=r"ellipsoid.*--dem-offset-m"):
        open_dem_file(path, "ellipsoid", sigma_m=1.0)


def test_a_national_datum_is_taken_over_with_its_difference_as_error(tmp_path):
    path = write_dem(tmp_path / "a.tif", "EPSG:26918+5703", *AT, flat)
    file = open_dem_file(path, sigma_m=0.3)
    assert file.datum.name == "NAVD88 height"
    assert file.sigma_m == pytest.approx(np.hypot(0.3, 2.0))


@pytest.mark.parametrize("datum", ["egm69", "", "EPSG:4326", "EPSG:99999999", "EPSG:", "mars"])
def test_a_datum_that_is_none_is_named(tmp_path, datum):
    path = write_dem(tmp_path / "a.tif", "EPSG:32632", *AT, flat)
    with pytest.raises(InputError, match="--dem-datum"):
        open_dem_file(path, datum, sigma_m=1.0)


@pytest.mark.parametrize(
    "said",
    [
        {"offsets_m": (float("nan"),)},
        {"offsets_m": (584.0,)},
        {"sigmas_m": (0.0,)},
        {"sigmas_m": (float("inf"),)},
        {"units": ("yard",)},
    ],
)
def test_senseless_words_are_refused(said):
    with pytest.raises(InputError, match="--dem-"):
        DemSaid(**said)


def test_words_must_fit_the_number_of_models(tmp_path):
    path = write_dem(tmp_path / "a.tif", "EPSG:32632", *AT, flat)
    for said in (
        DemSaid(datums=("egm96",) * 3, sigmas_m=(1.0,)),
        DemSaid(datums=("egm96",), sigmas_m=(1.0,), dates=("2020",) * 3),
    ):
        with pytest.raises(InputError, match="given 3 times for 2 --dem"):
            open_dems([path, path], said)


def test_what_is_no_elevation_model_is_named(tmp_path):
    (tmp_path / "text.tif").write_text("not a picture")
    (tmp_path / "empty").mkdir()
    write_posts(tmp_path / "nowhere.tif", np.zeros((9, 9)), None, Affine.identity())
    write_posts(
        tmp_path / "moon.tif", np.zeros((9, 9)), "EPSG:4326", from_origin(7, 95, 0.001, 0.001)
    )
    cut = write_hgt(tmp_path / "N46E007.hgt", 46, 7, 1201)
    cut.write_bytes(cut.read_bytes()[:-100])
    whole = write_hgt(tmp_path / "heights.hgt", 46, 7, 1201)
    for path, sentence in (
        (tmp_path / "none.tif", "no such file"),
        (tmp_path / "empty", "holds no"),
        (tmp_path / "text.tif", "cannot be read"),
        (tmp_path / "nowhere.tif", "no position"),
        (tmp_path / "moon.tif", "outside Web Mercator"),
        (cut, "named for its corner"),
        (whole, "named for its corner"),
    ):
        with pytest.raises(InputError, match=rf"{path.name}: .*{sentence}"):
            open_dems([path], DemSaid(datums=("egm96",), sigmas_m=(1.0,)))


def test_a_damaged_coordinate_system_is_named(tmp_path):
    path = write_dem(tmp_path / "a.tif", "EPSG:32632", *AT, flat)
    local = rasterio.crs.CRS.from_proj4("+proj=tmerc +lat_0=46 +lon_0=7 +k=0.99 +ellps=bessel")
    named = local.to_wkt().replace("unknown", "Hill grid", 1)
    write_posts(path, np.zeros((9, 9)), named, from_origin(1e5, 1e5, 25, 25))
    data = path.read_bytes()
    at = data.index(b"Hill grid")
    path.write_bytes(data[:at] + b"\xff\xfe" + data[at + 2 :])
    with pytest.raises(InputError, match=r"a\.tif: the name of its coordinate system"):
        open_dem_file(path, "egm96", sigma_m=1.0)


def test_a_file_damaged_in_its_middle_says_so_when_it_is_read(tmp_path):
    path = write_dem(
        tmp_path / "a.tif", "EPSG:32632", 4e5, 5.15e6, 25.0, (600, 600), compress="deflate"
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = b"\xff" * 4000
    path.write_bytes(data)
    file = open_dem_file(path, "egm96", sigma_m=1.0)
    with pytest.raises(InputError, match=r"a\.tif: cannot be read to its end"):
        file.posts(0, 0, 600, 600)
