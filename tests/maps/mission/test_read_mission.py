import json

import pytest
from shapely.geometry import Point

from maps.mission import mission_area, mission_needs, read_mission
from onboard.errors import InputError
from tests.maps.mission.small_missions import HOME, at, item, plan, write_plan

LINES = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "geometry": {"type": "LineString", "coordinates": [
            list(reversed(at(0, 0))), list(reversed(at(1000, 0)))]}},
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [
            *reversed(at(0, 3000))]}},
        {"type": "Feature", "geometry": None},
    ],
}  # fmt: skip


def test_drawn_lines_and_points_are_a_mission_without_heights(tmp_path):
    (tmp_path / "a.geojson").write_text(json.dumps(LINES))
    mission = read_mission(tmp_path / "a.geojson")
    assert mission.route == (pytest.approx(at(0, 0)), pytest.approx(at(1000, 0)))
    area = mission_area(mission, 100.0)
    for north_m, east_m, within in ((500, 90, True), (0, 3090, True), (500, 1500, False)):
        lat, lon = at(north_m, east_m)
        assert area.contains(Point(lon, lat)) is within


@pytest.mark.parametrize("name", ["a.shp", "a.gpx", "a", "a.plan.bak"])
def test_another_kind_of_file_is_named(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=r"is no mission that Pilotage reads; give a QGround"):
        read_mission(tmp_path / name)


def test_a_file_that_is_not_there_or_too_large(tmp_path):
    with pytest.raises(InputError, match=r"none\.plan: cannot be read"):
        read_mission(tmp_path / "none.plan")
    with (tmp_path / "huge.plan").open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(InputError, match="larger than any mission"):
        read_mission(tmp_path / "huge.plan")


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([(10.0, 179.99), (10.0, -179.99)], "antimeridian"),
        ([(85.0, 10.0), (85.05, 10.0)], "latitude"),
    ],
)
def test_where_a_map_cannot_be_is_said_with_the_missions_name(tmp_path, points, sentence):
    document = plan([item(i, position=(*p, 80)) for i, p in enumerate(points, 1)])
    document["mission"]["plannedHomePosition"] = None
    with pytest.raises(InputError, match=rf"a\.plan: .*{sentence}"):
        mission_needs(read_mission(write_plan(tmp_path, document)))


def test_nothing_to_fly_is_said(tmp_path):
    document = plan([])
    document["mission"]["plannedHomePosition"] = None
    mission = read_mission(write_plan(tmp_path, document))
    with pytest.raises(InputError, match="flies nowhere"):
        mission_area(mission, 100.0)
    # Home alone is a place to fly at.
    alone = read_mission(write_plan(tmp_path, plan([])))
    area = mission_area(alone, 500.0)
    assert area.contains(Point(HOME[1], HOME[0]))
    with pytest.raises(InputError, match="--corridor-m 0: leaves no area"):
        mission_area(alone, 0.0)
