import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from maps.mission import HeightFrame, mission_area, mission_needs, read_mission
from onboard.errors import InputError
from tests.maps.mission.small_missions import (
    AMSL,
    HOME,
    JUMP,
    LAND,
    LOITER_TURNS,
    MISSION,
    NORTH_M,
    RETURN,
    ROI,
    TAKEOFF,
    TERRAIN,
    at,
    item,
    plan,
    survey,
    write_plan,
)

SIMPLE = [
    item(1, TAKEOFF, position=(None, None, 50)),
    item(2, position=(*at(1000, 0), 80)),
    item(3, frame=TERRAIN, position=(*at(1000, 1000), 60)),
    item(4, ROI, position=(*at(9000, 9000), 0)),
    item(5, frame=AMSL, position=(*at(0, 1000), 600)),
    item(6, RETURN, MISSION),
]


def test_a_flight_from_home_and_back(tmp_path):
    mission = read_mission(write_plan(tmp_path, plan(SIMPLE)))
    (way,) = mission.ways
    assert [(w.lat_deg, w.lon_deg) for w in way] == [
        HOME[:2], HOME[:2], at(1000, 0), at(1000, 1000), at(0, 1000), HOME[:2], HOME[:2]
    ]  # fmt: skip
    assert [w.height_m for w in way] == [0, 50, 80, 60, 600, 600, 0]
    assert [w.frame for w in way[2:5]] == [
        HeightFrame.HOME, HeightFrame.TERRAIN, HeightFrame.AMSL
    ]  # fmt: skip
    assert [w.near_ground for w in way] == [True, True, False, False, False, False, True]
    assert len(mission.route) == 5


def test_what_is_looked_at_is_not_flown_to(tmp_path):
    """A region of interest 9 km away must not make a map of it."""
    mission = read_mission(write_plan(tmp_path, plan(SIMPLE)))
    _, south, _, north = mission_area(mission, 100.0).bounds
    assert (north - HOME[0]) * NORTH_M == pytest.approx(1100, abs=5)
    assert (HOME[0] - south) * NORTH_M == pytest.approx(100, abs=2)


@pytest.mark.parametrize("kind", ["survey", "corridorScan"])
def test_a_surveys_items_are_flown_and_its_area_is_in(tmp_path, kind):
    nested = [
        item(2, position=(*at(20, -30), 80)),
        item(3, 206, MISSION, (0, 0, 0), (25, 0, 1, 0)),
        item(4, position=(*at(20, 630), 80)),
    ]
    complex_item = survey(nested, complexItemType=kind)
    mission = read_mission(write_plan(tmp_path, plan([SIMPLE[0], complex_item])))
    assert [(w.lat_deg, w.lon_deg) for w in mission.ways[0]][2:] == [at(20, -30), at(20, 630)]
    area = mission_area(mission, 50.0)
    for north_m, east_m, within in ((430, 630, True), (200, 300, True), (460, 300, False)):
        lat, lon = at(north_m, east_m)
        assert area.contains(Point(lon, lat)) is within


def test_a_survey_without_items_is_flown_as_it_was_shown(tmp_path):
    for calc, height_m, frame in (
        ({"DistanceToSurface": 80, "DistanceMode": 1}, 80, HeightFrame.HOME),
        ({"DistanceToSurface": 900, "DistanceMode": 2}, 900, HeightFrame.AMSL),
        ({"DistanceToSurface": 70, "DistanceMode": 3}, 70, HeightFrame.TERRAIN),
        ({"DistanceToSurface": 60, "DistanceToSurfaceRelative": False}, 60, HeightFrame.AMSL),
    ):
        old = survey([])
        old["TransectStyleComplexItem"]["CameraCalc"] = calc
        way = read_mission(write_plan(tmp_path, plan([SIMPLE[0], old]))).ways[0]
        assert [(w.height_m, w.frame) for w in way[2:]] == [(height_m, frame)] * 2
    old["TransectStyleComplexItem"]["CameraCalc"] = {}
    with pytest.raises(InputError, match=r"a\.plan: item 2: names no height"):
        read_mission(write_plan(tmp_path, plan([SIMPLE[0], old])))


def test_a_corridor_scan_is_as_wide_as_it_says(tmp_path):
    scan = survey([item(2, position=(*at(0, 500), 60))], complexItemType="CorridorScan")
    del scan["polygon"]
    scan.update(polyline=[list(at(0, 0)), list(at(0, 1000))], CorridorWidth=300)
    area = mission_area(read_mission(write_plan(tmp_path, plan([SIMPLE[0], scan]))), 50.0)
    for north_m, within in ((190, True), (215, False)):
        lat, lon = at(north_m, 500)
        assert area.contains(Point(lon, lat)) is within


def test_a_structure_is_flown_around_at_its_distance(tmp_path):
    scan = {
        "type": "ComplexItem",
        "complexItemType": "StructureScan",
        "CameraCalc": {"DistanceToSurface": 25},
        "EntranceAltitude": 60,
        "ScanBottomAlt": 5,
        "StructureHeight": 45,
        "Layers": 3,
        "polygon": [list(at(500 + n, e)) for n, e in ((0, 0), (0, 50), (30, 50), (30, 0))],
        "version": 3,
    }
    mission = read_mission(write_plan(tmp_path, plan([SIMPLE[0], scan])))
    north = max(w.lat_deg for w in mission.ways[0])
    assert (north - HOME[0]) * NORTH_M == pytest.approx(555, abs=1)
    assert mission_needs(mission).agl_m == (30.0, 60.0)


def test_a_fixed_wing_landing_comes_down_from_its_loiter(tmp_path):
    landing = {
        "type": "ComplexItem",
        "complexItemType": "fwLandingPattern",
        "altitudesAreRelative": True,
        "landCoordinate": [*at(0, 0), 0],
        "landingApproachCoordinate": [*at(0, -800), 40],
        "loiterRadius": 75,
        "useLoiterToAlt": True,
        "version": 2,
    }
    mission = read_mission(write_plan(tmp_path, plan([SIMPLE[0], SIMPLE[1], landing])))
    assert [w.near_ground for w in mission.ways[0]] == [True, True, False, False, True]
    area = mission_area(mission, 20.0)
    lat, lon = at(0, -885)
    assert area.contains(Point(lon, lat))


def test_home_rally_points_and_loiters_are_always_in(tmp_path):
    loiter = item(2, LOITER_TURNS, position=(*at(1000, 0), 80), params=(2, 0, -200, None))
    document = plan(
        [loiter, item(3, position=(*at(2000, 0), 80))],
        rallyPoints={"points": [[*at(-3000, 0), 50]], "version": 2},
    )
    area = mission_area(read_mission(write_plan(tmp_path, document)), 100.0)
    for north_m, east_m in ((0, 90), (-3000, 90), (1000, 290), (2000, -90)):
        lat, lon = at(north_m, east_m)
        assert area.contains(Point(lon, lat))
    lat, lon = at(-1500, 0)
    assert not area.contains(Point(lon, lat))


FENCE = {
    "version": 2,
    "polygons": [
        {"inclusion": True, "version": 1,
         "polygon": [list(at(n, e)) for n, e in ((-50, -50), (-50, 5000), (5000, 5000))]},
        {"inclusion": False, "version": 1,
         "polygon": [list(at(n, e)) for n, e in ((100, 50), (100, 100), (150, 100))]},
    ],
    "circles": [
        {"inclusion": True, "version": 1, "circle": {"center": list(at(8000, 0)), "radius": 300}}
    ],
}  # fmt: skip


def test_a_fence_is_mapped_when_asked_for_and_where_it_is_all_there_is(tmp_path):
    document = plan(SIMPLE, geoFence=FENCE)
    mission = read_mission(write_plan(tmp_path, document))
    inside, circle = Point(*reversed(at(2500, 4500))), Point(*reversed(at(8200, 0)))
    assert len(mission.fence) == 2
    assert not mission_area(mission, 100.0).contains(inside)
    assert mission_area(mission, 100.0, whole_fence=True).contains(inside)
    alone = read_mission(write_plan(tmp_path, plan([], geoFence=FENCE)))
    assert mission_area(alone, 100.0).contains(inside)
    assert mission_area(alone, 100.0).contains(circle)
    with pytest.raises(InputError, match=r"flies nowhere.*--agl-m"):
        mission_needs(alone)
    assert mission_needs(alone, agl_m=(50, 80)).area.contains(inside)


def test_a_jump_back_is_a_way_of_its_own(tmp_path):
    items = [
        SIMPLE[0], SIMPLE[1], item(3, position=(*at(1000, 1000), 80)),
        item(4, position=(*at(3000, 3000), 80)), item(5, JUMP, MISSION, (0, 0, 0), (2, 3, 0, 0)),
        item(6, LAND, position=(*at(3000, 0), 0)),
    ]  # fmt: skip
    ways = read_mission(write_plan(tmp_path, plan(items))).ways
    assert [(w.lat_deg, w.lon_deg) for w in ways[1]] == [at(3000, 3000), at(1000, 0)]
    items[4] = item(5, JUMP, MISSION, (0, 0, 0), (17, 3, 0, 0))
    with pytest.raises(InputError, match=r"a\.plan: item 5: jumps to item 17"):
        read_mission(write_plan(tmp_path, plan(items)))
    items[4] = item(5, JUMP, MISSION, (0, 0, 0), (2, 0, 0, 0))  # never taken
    assert len(read_mission(write_plan(tmp_path, plan(items))).ways) == 1


def test_a_plan_of_version_1_is_read(tmp_path):
    old = {
        "type": "missionItem", "command": 16, "frame": 3, "coordinate": [*at(500, 0), 70],
        "param1": 0, "param2": 0, "param3": 0, "param4": 0, "autoContinue": True,
    }  # fmt: skip
    document = plan([old])
    document["mission"]["plannedHomePosition"] = {"coordinate": list(HOME)}
    way = read_mission(write_plan(tmp_path, document)).ways[0]
    assert (way[-1].lat_deg, way[-1].lon_deg, way[-1].height_m) == (*at(500, 0), 70)


def broken(path, value):
    """SIMPLE with one value changed."""
    document = plan(copy.deepcopy(SIMPLE))
    node = document
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    return document


ITEM = ("mission", "items", 1)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "the whole is no table"),
        ({}, "fileType"),
        ({"fileType": "Plan", "mission": []}, "mission is no table"),
        (broken(("mission", "items"), {}), "items is no list"),
        (broken(("mission", "items"), [7]), "item 1 is no table"),
        (broken((*ITEM, "type"), "Item"), "item 2 is of type 'Item'"),
        (broken((*ITEM, "command"), "sixteen"), "item 2: command"),
        (broken((*ITEM, "command"), None), "item 2: command"),
        (broken((*ITEM, "command"), 16.5), "no whole number"),
        (broken((*ITEM, "frame"), 1), "item 2: its position is in frame 1"),
        (broken((*ITEM, "params"), [0, 0, 0]), "3 params instead of 7"),
        (broken((*ITEM, "params"), "none"), "params is no list"),
        (broken((*ITEM, "params", 4), "47"), "item 2: '47' is no number"),
        (broken((*ITEM, "params", 4), True), "no number"),
        (broken((*ITEM, "params", 4), 95.0), "item 2: 95, 8 is no latitude"),
        (broken((*ITEM, "params", 4), 1e400), "no latitude"),
        (broken((*ITEM, "params", 5), 10**400), "more digits"),
        (broken((*ITEM, "params", 5), 181.0), "no latitude, longitude"),
        (broken((*ITEM, "params", 6), 1e9), "no height to fly at"),
        (broken(("mission", "plannedHomePosition"), [1]), "plannedHomePosition"),
        (broken(("mission", "plannedHomePosition"), [91, 0, 0]), "plannedHomePosition"),
        (broken(("rallyPoints", "points"), [[1, 2, 3], ["x", 2]]), "rally point 2"),
        (broken(("geoFence", "polygons"), [{"polygon": [[1, 2]]}]), "fence polygon 1"),
        (broken(("geoFence", "circles"), [{"circle": {"center": [1, 2]}}]), "fence circle 1"),
        (plan([{"type": "ComplexItem", "complexItemType": "Spiral"}]), "is a 'Spiral'"),
        (plan([{"type": "ComplexItem", "complexItemType": "survey", "polygon": 1}]), "item 1"),
        (plan([{"type": "ComplexItem", "complexItemType": "StructureScan"}]), "item 1"),
        (plan([{"type": "ComplexItem", "complexItemType": "fwLandingPattern"}]), "item 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_item(tmp_path, document, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        read_mission(write_plan(tmp_path, document))
    assert "a.plan" in str(caught.value) and "\n" not in str(caught.value)


def test_a_survey_in_a_survey_without_end_is_refused(tmp_path):
    nested = survey([])
    for _ in range(40):
        nested = survey([nested])
    with pytest.raises(InputError, match="more than any autopilot"):
        read_mission(write_plan(tmp_path, plan([nested])))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
SHAPES = plan(
    [*SIMPLE, survey([item(7, position=(*at(20, -30), 80))]), survey([])],
    geoFence=FENCE,
    rallyPoints={"points": [[*HOME[:2], 50]], "version": 2},
)


def places_of(node, path=()):
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places_of(value, (*path, key))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(where=st.sampled_from(sorted(places_of(SHAPES), key=str)), value=JSON)
def test_any_value_anywhere_is_read_or_refused_in_one_sentence(tmp_path, where, value):
    document = copy.deepcopy(SHAPES)
    node = document
    for key in where[:-1]:
        node = node[key]
    node[where[-1]] = value
    (tmp_path / "a.plan").write_text(json.dumps(document))
    try:
        needs = mission_needs(read_mission(tmp_path / "a.plan"))
        assert needs.area.area > 0
    except InputError as e:
        assert "a.plan" in str(e) and "\n" not in str(e)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.binary(max_size=60))
def test_any_bytes_are_refused_in_one_sentence(tmp_path, data):
    for name in ("a.plan", "a.waypoints", "a.geojson", "a.kml"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=name):
            read_mission(tmp_path / name)
