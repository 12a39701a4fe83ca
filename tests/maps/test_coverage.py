import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import Point, box

from maps.coverage import coverage_notes, height_notes
from maps.plan import lowest_usable_agl_m
from maps.terrain import DemSaid, open_dems
from onboard.camera import Camera
from onboard.messages import Frame, Refusal, View
from onboard.reasons import Reason
from onboard.rectify import rectify
from onboard.telemetry_messages import Attitude, Height
from tests.maps.terrain.small_dem import write_dem
from tests.maps.test_plan import at_tiles

SOURCE = at_tiles(10, 532, 360, 534, 361)  # 7.03 to 7.73 E, 46.80 to 47.04 N
WHOLE = box(7.1, 46.85, 7.6, 47.0)


def test_nothing_is_said_of_an_area_that_all_inputs_reach(tmp_path):
    path = write_dem(tmp_path / "a.tif", "EPSG:4326", 7.0, 47.1, 0.01, (40, 80))
    dem = open_dems([path], DemSaid(datums=("egm96",), sigmas_m=(1.0,)))
    assert coverage_notes(WHOLE, [SOURCE], dem) == []
    assert coverage_notes(WHOLE, [SOURCE], None) == []
    assert coverage_notes(Point(7.3, 46.9).buffer(1e-9), [SOURCE], None) == []


def test_what_the_inputs_leave_out_is_said_as_a_share(tmp_path):
    west, _, _, _ = WHOLE.bounds
    half = box(west - 1, 46.85, west + 1, 47.0)  # half of it west of all imagery's middle
    (note,) = coverage_notes(half, [SOURCE], None)
    share = (west + 1 - 7.03125) / 2 if west + 1 < 7.734375 else (7.734375 - 7.03125) / 2
    assert f"{share:.0%}" in note or f"{share - 0.01:.0%}" in note or f"{share + 0.01:.0%}" in note
    path = write_dem(tmp_path / "a.tif", "EPSG:4326", 7.0, 47.1, 0.01, (40, 35))  # to 7.35 E
    dem = open_dems([path], DemSaid(datums=("egm96",), sigmas_m=(1.0,)))
    (note,) = coverage_notes(WHOLE, [SOURCE], dem)
    assert "elevation models know 50%" in note or "elevation models know 49%" in note


@given(
    width_px=st.integers(200, 4000),
    height_px=st.integers(200, 4000),
    fov_deg=st.floats(15, 110),
    level=st.integers(15, 20),
)
def test_the_lowest_usable_height_is_that_of_the_flight(width_px, height_px, fov_deg, level):
    """5 % above it the view is taken, 5 % below it is refused as too small."""
    camera = Camera(width_px, height_px, horizontal_fov_deg=fov_deg)
    lowest_m = lowest_usable_agl_m(level, camera, 46.0)
    frame = Frame(0, np.full((height_px, width_px, 3), 90, np.uint8), "c")
    straight = Attitude(0, 0.0, 0.0, 0.0)
    across, along = width_px / camera.focal_px[0], height_px / camera.focal_px[1]
    if not 10 < lowest_m < 9000 or max(across, along) > 2 * math.tan(math.radians(70)):
        return
    above = rectify(
        frame, straight, Height(0, lowest_m * 1.05, None, 1.0, "x"), camera, level, 46.0
    )
    below = rectify(
        frame, straight, Height(0, lowest_m * 0.95, None, 1.0, "x"), camera, level, 46.0
    )
    assert isinstance(above, View)
    assert isinstance(below, Refusal) and below.reason is Reason.VIEW_TOO_SMALL


def test_a_map_too_coarse_for_the_climb_is_said():
    camera = Camera(1920, 1080, horizontal_fov_deg=80.0)
    (note,) = height_notes(18, (30.0, 250.0), camera, 28.0)
    assert note.startswith("note: below 48 m above ground")
    assert height_notes(20, (30.0, 250.0), camera, 28.0) == []
    assert height_notes(18, None, camera, 28.0) == []
    assert len(height_notes(15, (30.0, 250.0), None, 28.0)) == 1
