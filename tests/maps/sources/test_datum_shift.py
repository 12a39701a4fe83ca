import pytest
from pyproj import Transformer

from maps.sources.datum_shift import DatumShift, shift_notes
from maps.sources.raster_source import RasterSource
from onboard.errors import InputError
from tests.maps.small_imagery import texture, write_tif


def picture(path, crs, lat, lon):
    """100 m wide, near a place."""
    east, north = Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    return write_tif(path, texture(100, 100), (float(east), float(north)), 1.0, crs)


def notes_of(path, crs, lat, lon):
    shift = RasterSource(picture(path, crs, lat, lon)).shift
    assert shift is not None and shift.known
    return shift, shift_notes([("a.tif", shift)])


# What PROJ says changes with its database; what matters is whether a person is told.
@pytest.mark.parametrize(
    ("crs", "lat", "lon"),
    [
        ("EPSG:3857", 50.0, 9.0),
        ("EPSG:32632", 50.0, 9.0),
        ("EPSG:25832", 50.0, 9.0),  # ETRS89
        ("EPSG:2056", 46.9, 7.5),  # Swiss
        ("EPSG:4547", 40.0, 114.0),  # CGCS2000, of which PROJ knows nothing
        ("EPSG:3067", 60.4, 22.2),  # EUREF-FIN, the same
        ("EPSG:3879", 60.2, 25.0),
        ("EPSG:9057", 50.0, 9.0),  # WGS 84 (G1762)
        ("EPSG:7912", 50.0, 9.0),  # ITRF2014
        ("+proj=utm +zone=32 +ellps=WGS84 +units=m", 50.0, 9.0),
        ("+proj=utm +zone=32 +ellps=GRS80 +units=m", 50.0, 9.0),
        ("+proj=utm +zone=32 +ellps=GRS80 +towgs84=0,0,0,0,0,0,0 +units=m", 50.0, 9.0),
        ("+proj=merc +a=6378137 +b=6378137", 50.0, 9.0),  # Web Mercator, the old ways
        ("+proj=merc +a=6378137 +b=6378137 +nadgrids=@null +wktext", 50.0, 9.0),
    ],
)
def test_of_imagery_as_good_as_in_wgs_84_nothing_is_said(tmp_path, crs, lat, lon):
    shift, notes = notes_of(tmp_path / "a.tif", crs, lat, lon)
    assert notes == []
    assert shift.accuracy_m is None or 0 <= shift.accuracy_m < 2.5


@pytest.mark.parametrize(
    ("crs", "lat", "lon", "least_m", "most_m"),
    [
        ("EPSG:27572", 48.8, 2.3, 1, 5),  # from Paris, its datum's own degrees in grads
        ("EPSG:26914", 30.3, -98.0, 2.5, 10),  # NAD83
        ("EPSG:30169", 35.7, 139.7, 3, 30),  # Tokyo
        ("EPSG:21037", -1.3, 37.0, 3, 30),  # Arc 1960
    ],
)
def test_a_picture_knows_how_well_its_datum_is_known(tmp_path, crs, lat, lon, least_m, most_m):
    shift, notes = notes_of(tmp_path / "a.tif", crs, lat, lon)
    assert least_m < shift.accuracy_m < most_m
    assert len(notes) == 1


@pytest.mark.parametrize("of", ["bessel +towgs84=598,73,418,0,0,0,6.7", "GRS80 +towgs84=190,0,0"])
def test_a_way_that_the_picture_brings_is_told(tmp_path, of):
    crs = f"+proj=utm +zone=32 +ellps={of} +units=m"
    shift, notes = notes_of(tmp_path / "a.tif", crs, 50.0, 9.0)
    assert shift.accuracy_m is None and len(notes) == 1


@pytest.mark.parametrize(
    ("crs", "lat", "lon", "name"),
    [
        ("EPSG:2433", 40.0, 113.9, "Beijing 1954"),
        ("EPSG:3828", 24.0, 121.0, "TWD67"),
        ("+proj=utm +zone=32 +ellps=intl +units=m", 50.0, 9.0, "unknown"),
        ("+proj=utm +zone=32 +ellps=clrk66 +units=m", 50.0, 9.0, "unknown"),
    ],
)
def test_a_datum_without_a_way_is_refused(tmp_path, crs, lat, lon, name):
    path = picture(tmp_path / "a.tif", crs, lat, lon)
    with pytest.raises(InputError, match=rf"a\.tif: is in {name}, .*give it in WGS 84"):
        RasterSource(path)


def test_notes_name_the_pictures_and_the_metres():
    nad27, unknown = DatumShift("NAD27", 7.0), DatumShift("DHDN", None)
    ways = [("a", nad27), ("b", None), ("c", DatumShift("ETRS89", 1.0)), ("d", unknown)]
    ways += [("f", DatumShift("CGCS2000", None, modern=True))]
    ways += [("g", DatumShift("ITRF2014", 2.01, modern=True))]
    first, second = shift_notes([*ways, ("e", nad27)])
    assert first.startswith("note: a and 1 more: PROJ knows the way from NAD27 to WGS 84 to 7.0 m")
    assert second.startswith("note: d: PROJ does not say how well it knows the way from DHDN")
