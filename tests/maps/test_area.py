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


@pytest.mark.parametrize("name", ["a.geojson", "a.kml"])
def test_a_polygon_that_crosses_itself_is_taken_on_both_sides(tmp_path, name):
    ring = [[7, 46], [7.02, 46.02], [7.02, 46], [7, 46.02], [7, 46]]
    drawn = json.dumps({"type": "Polygon", "coordinates": [ring]})
    if name == "a.kml":
        drawn = KML.format(" ".join(f"{x},{y}" for x, y in ring))
    (tmp_path / name).write_text(drawn)
    area = parse_area(str(tmp_path / name))
    assert area.area == pytest.approx(0.0002) and area.bounds == pytest.approx((7, 46, 7.02, 46.02))


LINE = {"type": "LineString", "coordinates": [[10.0, 20.0], [10.1, 20.05]]}
KML_LINE = """<kml><Placemark><LineString><coordinates>10,20,0 10.1,20.05,0</coordinates>
</LineString></Placemark></kml>"""
KML_TRACK = """<kml xmlns:gx="http://www.google.com/kml/ext/2.2"><Placemark><gx:Track>
<gx:coord>10 20 0</gx:coord><gx:coord>10.1 20.05 0</gx:coord></gx:Track></Placemark></kml>"""


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.geojson", json.dumps(LINE)), ("a.kml", KML_LINE), ("a.kml", KML_TRACK)],
)
def test_a_line_is_an_area_with_a_corridor(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    area = parse_area(str(tmp_path / name), 500.0)
    # 11.8 km long and 1 km wide, and half a circle at each end.
    assert area.area * 111_320 * 110_700 * 0.9395 == pytest.approx(12.6e6, rel=0.02)
    with pytest.raises(InputError, match=r"LineString.*--corridor-m"):
        parse_area(str(tmp_path / name))


def test_a_corridor_widens_polygons_points_and_boxes(tmp_path):
    shapes = {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "Polygon", "coordinates": [SQUARE]},
            {"type": "MultiPoint", "coordinates": [[11.0, 21.0]]},
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(shapes))
    assert parse_area(str(tmp_path / "a.json")).area == pytest.approx(0.02)
    wide = parse_area(str(tmp_path / "a.json"), 1000.0)
    assert len(wide.geoms) == 2 and wide.area > 0.021
    assert parse_area("10,20,10.2,20.1", 1000.0).area > 0.021


def test_a_mission_given_as_an_area_is_pointed_to_its_option():
    with pytest.raises(InputError, match=r"survey\.plan: is a mission; give it with --mission"):
        parse_area("survey.plan")


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
        ("a.geojson", "[" * 100_000),
        ("a.geojson", '{"type": "LineString", "coordinates": []}'),
        ("a.geojson", '{"type": "Polygon", "coordinates": [[[1,2],[NaN,2],[1,3],[1,2]]]}'),
        ("a.geojson", '{"type": "Polygon", "coordinates": [[[1,2],[2,2],[1,2]]]}'),
        ("a.kml", "<kml><Point><coordinates></coordinates></Point></kml>"),
        ("a.kml", "<kml><LineString><coordinates>1,2</coordinates></LineString></kml>"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=r"a\.(geojson|kml)"):
        parse_area(str(tmp_path / name))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", ["NaN", "1e400", "400"])
@pytest.mark.parametrize("kind", ["LineString", "Polygon"])
def test_one_corner_that_is_no_place_is_refused(tmp_path, kind, number):
    """The bounds of the others are those of the whole, as shapely counts."""
    corners = f"[[10.0, 20.0], [{number}, 20.0], [10.2, 20.1], [10.0, 20.1], [10.0, 20.0]]"
    corners = f"[{corners}]" if kind == "Polygon" else corners
    path = tmp_path / "a.geojson"
    path.write_text(f'{{"type": "{kind}", "coordinates": {corners}}}')
    with pytest.raises(InputError, match="not longitude, latitude"):
        parse_area(str(path), 100.0)
