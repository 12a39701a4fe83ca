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


@pytest.mark.parametrize(
    ("crs", "lat", "lon", "accuracy_m"),
    [
        ("EPSG:3857", 50.0, 9.0, 0.0),
        ("EPSG:32632", 50.0, 9.0, 0.0),
        ("EPSG:25832", 50.0, 9.0, 1.0),  # ETRS89
        ("EPSG:2056", 46.9, 7.5, 1.0),  # Swiss
        ("EPSG:27572", 48.8, 2.3, 2.0),  # from Paris, its datum's own degrees in grads
        ("EPSG:26914", 30.3, -98.0, 4.0),  # NAD83
        ("EPSG:30169", 35.7, 139.7, 9.0),  # Tokyo
        ("EPSG:21037", -1.3, 37.0, 6.0),  # Arc 1960
        ("EPSG:4547", 40.0, 114.0, None),  # CGCS2000, of which PROJ knows nothing
        ("+proj=utm +zone=32 +ellps=GRS80 +units=m", 50.0, 9.0, None),
        ("+proj=utm +zone=32 +ellps=bessel +towgs84=598,73,418,0,0,0,6.7", 50.0, 9.0, None),
        ("+proj=merc +a=6378137 +b=6378137", 50.0, 9.0, None),  # Web Mercator, the old way
    ],
)
def test_a_picture_knows_how_well_its_datum_is_known(tmp_path, crs, lat, lon, accuracy_m):
    shift = RasterSource(picture(tmp_path / "a.tif", crs, lat, lon)).shift
    assert shift is not None and shift.known
    assert shift.accuracy_m == accuracy_m


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
    nad27, unknown = DatumShift("NAD27", 7.0), DatumShift("CGCS2000", None)
    ways = [("a", nad27), ("b", None), ("c", DatumShift("ETRS89", 1.0)), ("d", unknown)]
    first, second = shift_notes([*ways, ("e", nad27)])
    assert first.startswith("note: a and 1 more: PROJ knows the way from NAD27 to WGS 84 to 7.0 m")
    assert second.startswith("note: d: PROJ does not say how well it knows the way from CGCS2000")
