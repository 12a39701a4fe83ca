"""The whole command, over photographs that a tilted camera really took of the procedural world."""

import math
import re

import cv2
import numpy as np
import pytest

from onboard.camera import Camera, Mounting
from onboard.geodesy import offset_latlon
from onboard.settings import load_settings
from onboard.telemetry_messages import Attitude
from tests.tools.calibrate.recorded_flight import direction_error_deg
from tests.tools.logs.dataflash_writer import DataflashWriter
from tests.tools.photographs import write_photo
from tests.tools.small_area import GSD_M, SIZE_M, SOUTH_WEST
from tools.cli import main

TRUE = Camera(480, 360, fx=500.0, mounting=Mounting(pitch_deg=-84.0, roll_deg=1.0))
GIVEN = "width_px = 480\nheight_px = 360\nfx = 500.0\n"
MAP_M = (2.0, -3.0)  # the map shows things this far east and north of GNSS
AGL_M = 90.0
FRAME_S = 2
ATTITUDE_DELAY_S = 0.3


def photograph(area, camera, east_m, north_m, yaw, roll=0.0, pitch=0.0):
    """What the camera sees from over (east_m, north_m) of the area's south-west corner."""
    turn = camera.ned_from_optical(Attitude(0, roll, pitch, yaw))
    x, y = np.meshgrid(np.arange(480) + 0.5, np.arange(360) + 0.5)
    (fx, fy), (cx, cy) = camera.focal_px, camera.principal_px
    rays = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones_like(x)], axis=-1) @ turn.T
    ground = rays[..., :2] / rays[..., 2:] * AGL_M
    at_x = (east_m + ground[..., 1]) / GSD_M - 0.5
    at_y = (SIZE_M - north_m - ground[..., 0]) / GSD_M - 0.5
    maps = np.stack([at_x, at_y], axis=-1).astype(np.float32)
    return cv2.remap(area.picture, maps, None, cv2.INTER_LINEAR)[:, :, ::-1]


def write_flight(area, folder, headings_deg):
    folder.mkdir()
    for i, heading_deg in enumerate(headings_deg):
        east, north = 95.0 + 6.0 * (i % 4), 95.0 + 6.0 * (i // 4)
        write_photo(
            folder / f"DJI_{i:04d}.jpg",
            time=f"2024:10:30 10:{i // 4:02d}:{15 * (i % 4):02d}",
            position=offset_latlon(*SOUTH_WEST, east - MAP_M[0], north - MAP_M[1]),
            agl_m=AGL_M,
            flight_deg=(0.0, 0.0, heading_deg),
            picture=photograph(area, TRUE, east, north, math.radians(heading_deg)),
        )
    (folder.parent / "given.toml").write_text(GIVEN)
    return folder


def calibrate(area, flight, *more):
    arguments = [
        str(flight),
        "--map",
        str(area.pack),
        "--camera",
        str(flight.parent / "given.toml"),
    ]
    return main(["calibrate", "flight", *arguments, "--prior-sigma-m", "30", *more])


@pytest.fixture(scope="module")
def turning(small_area, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate") / "flight"
    return write_flight(small_area, folder, [(75.0 * i) % 360 for i in range(16)])


def test_a_tilted_camera_is_found_and_the_file_flies(small_area, turning, tmp_path, capsys):
    out = tmp_path / "found.toml"
    assert calibrate(small_area, turning, "--out", str(out)) == 0
    found = load_settings(out, Camera)
    axis_deg, whole_deg = direction_error_deg(found, TRUE)
    assert axis_deg < 0.5
    assert whole_deg < 1.0
    assert found.focal_px[0] == pytest.approx(500.0, rel=0.03)
    assert found.mounting.sigma_deg < 1.0
    said = capsys.readouterr().out
    shown = re.search(r"the map shows things (\S+) \S+ m east and (\S+) ", said)
    assert [float(n) for n in shown.groups()] == pytest.approx(MAP_M, abs=0.7)
    assert "not told by this flight, kept as given: the attitudes' delay" in said
    assert out.read_text().startswith("# pilotage calibrate flight: flight over area.pack")
    assert "as given: the flight does not tell it" in out.read_text()


def test_one_heading_leaves_the_tilt_as_given(small_area, tmp_path, capsys):
    flight = write_flight(small_area, tmp_path / "flight", [30.0] * 8)
    assert calibrate(small_area, flight, "--out", str(tmp_path / "found.toml")) == 0
    assert load_settings(tmp_path / "found.toml", Camera).mounting.pitch_deg == -90.0
    assert "kept as given: the tilt fore and aft" in capsys.readouterr().out


def test_too_short_a_flight_is_one_sentence(small_area, tmp_path, capsys):
    flight = write_flight(small_area, tmp_path / "flight", [0.0, 90.0])
    assert calibrate(small_area, flight, "--out", str(tmp_path / "found.toml")) == 2
    said = capsys.readouterr().err
    assert "frames were located, 6 are needed" in said or "no frame was located" in said
    assert "Traceback" not in said
    assert not (tmp_path / "found.toml").exists()


def write_log(path, flown):
    """Attitudes and positions of a flight as ArduPilot logs them, and when each picture was."""
    log = DataflashWriter()
    triggers_us = [round((2.0 + FRAME_S * i) * 1e6) for i in range(len(flown))]
    for k in range(40 * FRAME_S * len(flown) // 2):
        time_s = 1.0 + k / 20
        east, north, roll, pitch, yaw = at(flown, time_s)
        lat, lon = offset_latlon(*SOUTH_WEST, east - MAP_M[0], north - MAP_M[1])
        us = round(time_s * 1e6)
        late_us = us + round(ATTITUDE_DELAY_S * 1e6)
        angles = {"Roll": math.degrees(roll), "Pitch": math.degrees(pitch), "Yaw": yaw % 360}
        if k % 4 == 0:
            log.add("GPS", TimeUS=us, Status=3, GWk=2300, GMS=round(1e3 * time_s), NSats=14,
                    Lat=lat, Lng=lon, Alt=500.0)  # fmt: skip
            log.add("POS", TimeUS=us, Lat=lat, Lng=lon, Alt=500.0, RelHomeAlt=AGL_M)
        log.add("ATT", TimeUS=late_us, **angles)
        while triggers_us and triggers_us[0] <= us:
            log.add("TRIG", TimeUS=triggers_us.pop(0))
    return log.write(path)


def at(flown, time_s):
    """Hangs over one place after the other, rolling and pitching on; headings step between."""
    i = min(len(flown) - 1, max(0, round((time_s - 2.0) / FRAME_S)))
    heading_deg = flown[i]
    roll, pitch = 0.08 * math.sin(1.9 * time_s), 0.08 * math.sin(1.3 * time_s + 1.0)
    return 95.0 + 6.0 * (i % 4), 95.0 + 6.0 * (i // 4), roll, pitch, heading_deg


def test_a_log_tells_the_attitudes_delay_too(small_area, tmp_path, capsys):
    flown = [(75.0 * i) % 360 for i in range(20)]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for i in range(len(flown)):
        east, north, roll, pitch, yaw = at(flown, 2.0 + FRAME_S * i)
        picture = photograph(small_area, TRUE, east, north, math.radians(yaw), roll, pitch)
        write_photo(pictures / f"p{i:02d}.jpg", position=None, agl_m=None, flight_deg=None,
                    picture=picture)  # fmt: skip
    (tmp_path / "given.toml").write_text(GIVEN)
    log = write_log(tmp_path / "flight.bin", flown)
    out = tmp_path / "found.toml"
    assert calibrate(small_area, log, "--pictures", str(pictures), "--out", str(out)) == 0
    found = load_settings(out, Camera)
    assert found.attitude_delay_s == pytest.approx(ATTITUDE_DELAY_S, abs=0.06)
    assert direction_error_deg(found, TRUE)[0] < 0.7
    assert "attitudes are stamped +" in capsys.readouterr().out
