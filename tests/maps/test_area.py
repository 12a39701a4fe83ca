import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maps.area import parse_area
from onboard.errors import InputError

SQUARE = [[10.0, 20.0], [10.2, 20.0], [10.2, 20.1], [10.0, 20.1], [10.0, 20.0]]
KML = """<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark>
<Polygon><outerBoundaryIs><LinearRing><coordinates>
{}
</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Document></kml>"""


@given(
    west=st.floats(-179, 178),
    south=st.floats(-80, 79),
    width=st.floats(0.001, 1),
    height=st.floats(0.001, 1),
)
def test_a_box_is_read_back(west, south, width, height):
    text = f"{west},{south},{west + width},{south + height}"
    assert parse_area(text).bounds == pytest.approx((west, south, west + width, south + height))


@pytest.mark.parametrize("wrap", ["bare", "feature", "collection", "geometries"])
def test_geojson_in_every_wrapping(tmp_path, wrap):
    geometry = {"type": "Polygon", "coordinates": [SQUARE]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    document = {
        "bare": geometry,
        "feature": feature,
        "collection": {"type": "FeatureCollection", "features": [feature]},
        "geometries": {"type": "GeometryCollection", "geometries": [geometry]},
    }[wrap]
    (tmp_path / "a.geojson").write_text(json.dumps(document))
    assert parse_area(str(tmp_path / "a.geojson")).area == pytest.approx(0.02)


def test_kml(tmp_path):
    (tmp_path / "a.kml").write_text(KML.format(" ".join(f"{x},{y},0" for x, y in SQUARE)))
    assert parse_area(str(tmp_path / "a.kml")).area == pytest.approx(0.02)


@pytest.mark.parametrize(
    "text", ["", "1,2,3", "a,b,c,d", "2,0,1,1", "0,2,1,1", "0,0,400,1", "0,0,1,89", "nan,0,1,1"]
)
def test_a_wrong_box_is_an_input_error(text):
    with pytest.raises(InputError, match="--area"):
        parse_area(text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", "{"),
        ("a.geojson", "[]"),
        ("a.geojson", '{"type": "Point", "coordinates": [1, 2]}'),
        ("a.geojson", '{"type": "FeatureCollection", "features": []}'),
        ("a.geojson", '{"type": "Polygon", "coordinates": [[[1, 2]]]}'),
        ("a.geojson", '{"type": "Polygon", "coordinates": [[[1e6,2e6],[1.1e6,2e6],[1e6,3e6]]]}'),
        ("a.kml", "<kml>"),
        ("a.kml", "<kml/>"),
        ("a.kml", KML.format("1,2 3")),
        ("a.kml", KML.format("x,y z,w u,v")),
        ("a.kml", '<!DOCTYPE k [<!ENTITY a "b">]><kml>&a;</kml>'),
        ("a.kml", None),
    ],
)
def test_a_wrong_file_is_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=r"a\.(geojson|kml)"):
        parse_area(str(tmp_path / name))
