import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import Point

from maps.mission import HeightFrame, mission_area, mission_needs, read_mission
from onboard.errors import InputError
from onboard.geodesy import distance_m
from tests.maps.mission.small_missions import (
    AMSL,
    HOME,
    JUMP,
    LAND,
    LOITER_TURNS,
    NORTH_M,
    RELATIVE,
    RETURN,
    ROI,
    TAKEOFF,
    TERRAIN,
    WAYPOINT,
    at,
    line,
    write_waypoints,
)

SPLINE, ARC, FENCE_CORNER, FENCE_CIRCLE, RALLY = 82, 36, 5001, 5003, 5100


def flown(number, north_m, east_m, height_m=80.0, command=WAYPOINT, frame=RELATIVE, params=None):
    return line(number, command, frame, (*(params or (0, 0, 0, 0)), *at(north_m, east_m), height_m))


NOWHERE = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_zeros_mean_where_the_vehicle_is(tmp_path):
    mission = read_mission(
        write_waypoints(
            tmp_path,
            [
                line(1, TAKEOFF, RELATIVE, (*NOWHERE, 20)),
                line(2, LOITER_TURNS, RELATIVE, (1, 0, 5, 0, 0, 0, 0)),
                flown(3, 1000, 0, 25),
                line(4, 178, AMSL, (0, 20, *NOWHERE[:5])),  # a speed, no place
                line(5, ROI, AMSL, (0, 0, 0, 0, *at(9000, 9000), 0)),
                flown(6, 1000, 500, 0),
                line(7, LAND, RELATIVE, (*NOWHERE, 0)),
            ],
        )
    )
    (way,) = mission.ways
    assert [(w.lat_deg, w.lon_deg) for w in way] == [
        HOME[:2], HOME[:2], HOME[:2], *[pytest.approx(at(1000, e), abs=1e-7) for e in (0, 500, 500)]
    ]  # fmt: skip
    assert [w.height_m for w in way] == [0, 20, 20, 25, 25, None]
    assert [w.near_ground for w in way] == [True, True, False, False, False, True]


def test_all_three_frames_and_home_of_line_0(tmp_path):
    path = write_waypoints(
        tmp_path,
        [
            flown(1, 500, 0, 600, frame=AMSL),
            flown(2, 600, 0, 90),
            flown(3, 700, 0, 70, frame=TERRAIN),
        ],
    )
    mission = read_mission(path)
    assert mission.home is not None
    assert (mission.home.lat_deg, mission.home.lon_deg, mission.home.height_m) == HOME
    assert [w.frame for w in mission.ways[0][1:]] == [
        HeightFrame.AMSL, HeightFrame.HOME, HeightFrame.TERRAIN
    ]  # fmt: skip
    # 600 m above the sea is 150 m above the ground at home; below 30 m is the climb's.
    assert mission_needs(mission).agl_m == (30.0, 150.0)


def test_a_home_of_zeros_is_not_known(tmp_path):
    path = write_waypoints(tmp_path, [flown(1, 500, 0), flown(2, 900, 0)], home=(0, 0, 0))
    mission = read_mission(path)
    assert mission.home is None and not mission.places
    assert mission_needs(mission).agl_m == (30.0, 80.0)


def test_a_jump_and_a_return(tmp_path):
    mission = read_mission(
        write_waypoints(
            tmp_path,
            [
                flown(1, 500, 0),
                line(2, 600, AMSL, (7, *NOWHERE)),  # tag 7
                flown(3, 500, 500),
                flown(4, 2500, 500),
                line(5, JUMP, AMSL, (1, -1, *NOWHERE[:5])),
                line(6, 601, AMSL, (7, 2, *NOWHERE[:5])),
                line(7, RETURN, AMSL, (*NOWHERE, 0)),
            ],
        )
    )
    legs = [[(w.lat_deg, w.lon_deg) for w in way] for way in mission.ways[1:]]
    last = pytest.approx(at(2500, 500), abs=1e-7)
    assert legs == [
        [last, pytest.approx(at(500, 0), abs=1e-7)],
        [last, pytest.approx(at(500, 500), abs=1e-7)],
    ]
    assert [w.height_m for w in mission.ways[0][-2:]] == [80, 0]


def test_a_splines_curve_is_within_the_corridor(tmp_path):
    lines = [flown(1, 0, 1000), flown(2, 1000, 1000, command=SPLINE), flown(3, 1000, 0)]
    curved = read_mission(write_waypoints(tmp_path, lines)).ways[0]
    assert len(curved) == 4 + 7
    east = max(distance_m(w.lat_deg, HOME[1], w.lat_deg, w.lon_deg) for w in curved)
    assert 1050 < east < 1200  # it swings out beyond the straight leg
    straight = [lines[0], lines[1].replace("\t82\t", "\t16\t"), lines[2]]
    assert len(read_mission(write_waypoints(tmp_path, straight)).ways[0]) == 4


@pytest.mark.parametrize(("angle_deg", "reach_m"), [(180, 500), (-90, 500), (270, 1207)])
def test_an_arcs_bulge_is_in(tmp_path, angle_deg, reach_m):
    """270 deg over a chord of 1000 m: a radius of 707 m whose centre is 500 m off the chord."""
    arc = flown(2, 0, 2000, command=ARC, params=(angle_deg, 0, 0, 0))
    mission = read_mission(write_waypoints(tmp_path, [flown(1, 0, 1000), arc]))
    area = mission_area(mission, 10.0)
    for share, within in ((0.99, True), (1.05, False)):
        lat, lon = at(reach_m * share, 1500)
        assert area.contains(Point(lon, lat)) is within


def test_fences_and_rally_points_of_their_own_files_are_understood(tmp_path):
    corners = [(0, 0), (0, 2000), (2000, 2000)]
    path = write_waypoints(
        tmp_path,
        [
            *(
                flown(i, *c, 0, command=FENCE_CORNER, params=(3, 0, 0, 0))
                for i, c in enumerate(corners, 1)
            ),
            flown(4, 5000, 0, 0, command=FENCE_CIRCLE, params=(250, 0, 0, 0)),
            flown(5, -3000, 0, 50, command=RALLY),
        ],
    )
    mission = read_mission(path)
    area = mission_area(mission, 50.0)
    for north_m, east_m, within in (
        (900, 1000, True), (5290, 0, True), (-3040, 0, True), (-1500, 0, False),
    ):  # fmt: skip
        lat, lon = at(north_m, east_m)
        assert area.contains(Point(lon, lat)) is within


def test_a_fence_alone_has_no_home(tmp_path):
    first = flown(0, 0, 0, 0, command=FENCE_CIRCLE, params=(250, 0, 0, 0))
    (tmp_path / "a.waypoints").write_text(f"QGC WPL 110\n{first}\n")
    mission = read_mission(tmp_path / "a.waypoints")
    assert mission.home is None and len(mission.fence) == 1 and not mission.ways


def test_comments_are_passed_over_and_counted(tmp_path):
    path = write_waypoints(tmp_path, ["# the first leg", flown(1, 500, 0), "# done"])
    assert [w.where.rpartition(": ")[2] for w in read_mission(path).ways[0]] == ["home", "line 4"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "does not begin"),
        ("QGC WPL 109\n", "does not begin"),
        ("QGC WPL\n", "does not begin"),
        ("1 2 3\n", "does not begin"),
        ("QGC WPL 110\n", "holds no item"),
        ("QGC WPL 110\n0\t1\t0\t16\n", "line 2: has 4 fields"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 x 1\n", "line 2: holds a field that is no number"),
        ("QGC WPL 110\n0 1 0 inf 0 0 0 0 47 8 1 1\n", "line 2: holds a field"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 97 8 1 1\n", "line 2: 97, 8 is no latitude"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 1 1\n\n1 0 3 16 0 0 0 0 inf 8 1 1\n", "line 4: inf"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 1 1\n1 0 3 16 0 0 0 0 47 8 9e9 1\n", "9e.09 m is no"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 1 1\n1 0 1 16 0 0 0 0 47 8 9 1\n", "frame 1"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 1 1\n1 0 3 18 1 0 1e9 0 47 8 9 1\n", "circle of 1e"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 1 1\n1 0 3 177 inf 1 0 0 0 0 0 1\n", "infinite"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 1 1\n1 0 3 177 9 1 0 0 0 0 0 1\n", "jumps to item 9"),
        ("QGC WPL 110\n0 1 0 16 0 0 0 0 47 8 1 1\n1 0 3 5001 1 0 0 0 1 2 0 1\n", "1 corners"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, sentence):
    (tmp_path / "a.waypoints").write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        read_mission(tmp_path / "a.waypoints")
    assert "a.waypoints" in str(caught.value) and "\n" not in str(caught.value)


NUMBER = st.one_of(
    st.sampled_from([0.0, 1.0, 3.0, 10.0, 16.0, 20.0, 22.0, 82.0, 177.0, 36.0, 18.0, 5001.0]),
    st.floats(-200, 200),
    st.floats(),
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.lists(NUMBER, min_size=12, max_size=12), max_size=6))
def test_any_numbers_are_read_or_refused_in_one_sentence(tmp_path, rows):
    path = tmp_path / "a.waypoints"
    text = "\n".join(" ".join(map(repr, row)) for row in rows)
    path.write_text(f"QGC WPL 110\n{line(0, 16, 0, (0, 0, 0, 0, *HOME))}\n{text}")
    try:
        assert mission_needs(read_mission(path)).area.area > 0
    except InputError as e:
        assert "a.waypoints" in str(e) and "\n" not in str(e)


def test_the_width_is_to_each_side(tmp_path):
    path = write_waypoints(tmp_path, [flown(1, 0, 4000)])
    area = mission_area(read_mission(path), 300.0)
    assert (area.bounds[3] - HOME[0]) * NORTH_M == pytest.approx(300, rel=0.007)
    assert (HOME[0] - area.bounds[1]) * NORTH_M == pytest.approx(300, rel=0.007)
