"""Replay of logs as a person runs it, over a small real map, in which the pictures are found."""

import csv
import math
import os
import struct

import cv2
import numpy as np
import pytest

os.environ["MAVLINK20"] = "1"
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.geodesy import distance_m, offset_latlon
from tests.tools.photographs import write_photo
from tests.tools.recorded_flight import record
from tests.tools.small_area import AGL_M, CAMERA, PHOTO_PX, SOUTH_WEST
from tools.cli import main

START_S = 1_730_282_400  # 2024-10-30 10:00:00 UTC
SPEED_M_S = 7.5  # north-east, nose ahead
GROUND_M = 400.0
LENS = CAMERA + "\n[mounting]\nsigma_deg = 0.2\n"


def along_m(time_s: float) -> float:
    return 60.0 + SPEED_M_S * time_s / math.sqrt(2)


def place(time_s: float) -> tuple[float, float]:
    return offset_latlon(*SOUTH_WEST, along_m(time_s), along_m(time_s))


def write_tlog(path, seconds: float, away_deg: float = 0.0):
    """away_deg: further north."""
    speaker = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    data = bytearray()
    for i in range(round(seconds * 10)):
        t = i / 10
        ms, us = 60_000 + 100 * i, round((START_S + t) * 1e6)
        lat, lon = place(t)
        e7 = round((lat + away_deg) * 1e7), round(lon * 1e7)
        heights = round((GROUND_M + AGL_M) * 1e3), round(AGL_M * 1e3)
        speed = round(SPEED_M_S * 100 / math.sqrt(2))
        for message in (
            mavlink.MAVLink_heartbeat_message(2, 3, 81, 0, 4, 3),
            mavlink.MAVLink_attitude_message(ms, 0.0, 0.0, math.pi / 4, 0, 0, 0),
            mavlink.MAVLink_global_position_int_message(ms, *e7, *heights, speed, speed, 0, 4500),
            mavlink.MAVLink_gps_raw_int_message(
                ms * 1000, 3, *e7, heights[0], 80, 90, 750, 4500, 12, 0, 0, 900, 1500, 300
            ),
        ):
            data += struct.pack(">Q", us) + message.pack(speaker)
    path.write_bytes(bytes(data))
    return path


def write_srt(path, seconds: float, gimbal: bool):
    blocks = []
    for i in range(round(seconds * 10)):
        lat, lon = place(i / 10)
        stamp = f"00:00:{i // 10:02d},{100 * (i % 10):03d}"
        angles = "[gb_yaw: 45.0 gb_pitch: -90.0 gb_roll: 0.0]" if gimbal else ""
        blocks.append(
            f"{i + 1}\n{stamp} --> {stamp}\n2024-10-30 10:00:00.000\n[latitude: {lat:.7f}] "
            f"[longitude: {lon:.7f}] [rel_alt: {AGL_M} abs_alt: {AGL_M + GROUND_M}] {angles}\n\n"
        )
    path.write_text("".join(blocks))
    return path


def write_video(small_area, path, seconds: float, begin_s: float = 0.0, fps: float = 10.0):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, PHOTO_PX)
    for i in range(round(seconds * fps)):
        at = along_m(begin_s + i / fps)
        writer.write(np.ascontiguousarray(small_area._seen_from(at, at, 45.0)[:, :, ::-1]))
    writer.release()
    return path


def write_pictures(small_area, folder, times_s, hour: int = 12):
    """Their camera's clock is in another zone."""
    folder.mkdir()
    for i, t in enumerate(times_s):
        at = along_m(t)
        write_photo(
            folder / f"IMG_{i:03d}.jpg",
            time=f"2024:10:30 {hour}:00:{int(t):02d}",
            position=place(t),
            agl_m=None,
            flight_deg=None,
            picture=small_area._seen_from(at, at, 45.0),
        )
    return folder


def replay(small_area, folder, log, *more, lens=LENS):
    camera = folder / "cam.toml"
    camera.write_text(lens)
    arguments = ["--map", str(small_area.pack), "--camera", str(camera)]
    out = ["--report", str(folder / "out")]
    return main(["replay", str(log), *arguments, *out, *map(str, more)])


def errors_m(folder, time_s_of):
    """Of the accepted frames against the true place; and all frames' reasons."""
    with (folder / "out" / "fixes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [row for row in rows if row["status"] == "accepted"]
    errors = [
        distance_m(float(row["lat_deg"]), float(row["lon_deg"]), *place(time_s_of(row)))
        for row in found
    ]
    return errors, [row["reason"] for row in rows]


def test_a_tlog_with_pictures_of_another_time_zone(small_area, tmp_path, capsys):
    log = write_tlog(tmp_path / "flight.tlog", 12.0)
    times_s = [1.0, 3.0, 4.0, 6.0, 9.0, 10.0]
    pictures = write_pictures(small_area, tmp_path / "pictures", times_s)
    assert replay(small_area, tmp_path, log, "--pictures", pictures) == 0
    errors, reasons = errors_m(tmp_path, lambda row: times_s[int(row["frame"][4:7])])
    assert len(reasons) == 6 and len(errors) >= 4
    assert max(errors) < 5.0
    assert "their clock is +7200." in capsys.readouterr().out


def test_a_tlog_with_a_video_that_began_later(small_area, tmp_path):
    log = write_tlog(tmp_path / "flight.tlog", 9.0)
    video = write_video(small_area, tmp_path / "seen.avi", 6.0, begin_s=2.0)
    assert replay(small_area, tmp_path, log, "--video", video, "--video-starts", "2") == 0
    errors, reasons = errors_m(tmp_path, lambda row: int(row["time_ns"]) * 1e-9 - START_S)
    assert len(reasons) == 12 and len(errors) >= 8
    assert max(errors) < 5.0


@pytest.mark.parametrize("gimbal", [True, False])
def test_subtitles_with_the_video_beside_them(small_area, tmp_path, gimbal):
    log = write_srt(tmp_path / "DJI_0001.SRT", 6.0, gimbal)
    write_video(small_area, tmp_path / "DJI_0001.avi", 6.0)
    lens = LENS.replace("sigma_deg = 0.2", "pitch_deg = 0.0\nsigma_deg = 0.2") if gimbal else LENS
    more = () if gimbal else ("--yaw-from-course",)
    assert replay(small_area, tmp_path, log, *more, lens=lens) == 0
    errors, reasons = errors_m(tmp_path, lambda row: int(row["time_ns"]) * 1e-9)
    assert len(reasons) == 12 and len(errors) >= 6
    assert max(errors) < 5.0


def test_a_table_over_rendered_imagery_after_a_receivers_loss(small_area, tmp_path, capsys):
    rows = ["start_seconds,latitude,longitude,rel_alt,abs_alt"]
    for i in range(100):
        lat, lon = (0.0, 0.0) if 60 <= i < 90 else place(i / 10)
        rows.append(f"{i / 10},{lat:.7f},{lon:.7f},{AGL_M},{GROUND_M + AGL_M}")
    log = tmp_path / "flight.csv"
    log.write_text("\n".join(rows))
    render = ("--render", small_area.folder / "area.csv", "--frame-hz", "4")
    lost = ("--gnss-lost-after", "3s")
    assert replay(small_area, tmp_path, log, *render, *lost, "--yaw-from-course") == 0
    errors, reasons = errors_m(tmp_path, lambda row: int(row["time_ns"]) * 1e-9)
    assert len(errors) >= 15 and max(errors) < 5.0
    assert len(reasons) <= 30  # none where nobody knows where the drone was
    said = capsys.readouterr().out
    assert "fixes off by more than their protection level" in said
    assert "flat ground 400 m above the sea" in said


def test_a_log_of_another_place(small_area, tmp_path, capsys):
    log = write_tlog(tmp_path / "flight.tlog", 4.0, away_deg=1.0)
    video = write_video(small_area, tmp_path / "seen.avi", 2.0)
    assert replay(small_area, tmp_path, log, "--video", video, "--video-starts", "1") == 2
    told = capsys.readouterr()
    assert "40 of 40 recorded positions lie outside the map" in told.out
    assert "wrong map, the flight lies 1" in told.err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((), "holds no pictures itself; give one of --pictures"),
        (("--video", "seen.avi", "--pictures", "."), "give one of --pictures"),
        (("--video", "seen.avi"), "does not tell when the video began; give --video-starts"),
        (("--video", "seen.avi", "--video-starts", "900"), "from 900 s to 902 s after the start"),
        (("--video", "seen.avi", "--video-starts=-60"), "from -60 s to -58 s after the start"),
        (("--video", "none.avi", "--video-starts", "0"), "none.avi: no such file"),
        (("--video", "flight.tlog", "--video-starts", "0"), "cannot be opened as a video"),
        (("--video", "seen.avi", "--dem", "d.tif"), "--dem: goes with --render"),
        (("--render", "area.csv", "--video-starts", "0"), "--video-starts: goes with --video"),
        (("--render", "none.tif"), "none.tif"),
        (("--video", "seen.avi", "--video-starts", "0", "--yaw-from-course"), "tells its attitude"),
        (("--video", "seen.avi", "--poses", "p.csv"), "--poses: "),
        (("--video", "seen.avi", "--agl-m", "90"), "--agl-m: "),
        (("--pictures", "empty"), "no photographs in it"),
    ],
)
def test_options_that_do_not_go_together(small_area, tmp_path, capsys, monkeypatch, more, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    log = write_tlog(tmp_path / "flight.tlog", 4.0)
    write_video(small_area, tmp_path / "seen.avi", 2.0)
    assert replay(small_area, tmp_path, log, *more) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--video-starts=nan", "--frame-hz=0", "--frame-hz=nan"])
def test_numbers_that_are_none(small_area, tmp_path, capsys, option):
    assert replay(small_area, tmp_path, tmp_path / "flight.tlog", option) == 2
    assert option.partition("=")[0] in capsys.readouterr().err


def test_a_camera_hung_otherwise_than_the_log_tells(small_area, tmp_path, capsys):
    video = write_video(small_area, tmp_path / "seen.avi", 2.0)
    tlog = write_tlog(tmp_path / "flight.tlog", 4.0)
    ahead = LENS + "pitch_deg = 0.0\n"
    with_video = ("--video", video, "--video-starts", "0")
    assert replay(small_area, tmp_path, tlog, *with_video, lens=ahead) == 2
    assert "tells the airframe's" in capsys.readouterr().err
    srt = write_srt(tmp_path / "DJI_0001.SRT", 4.0, gimbal=True)
    assert replay(small_area, tmp_path, srt, *with_video) == 2
    assert "tells the gimbal's own angles" in capsys.readouterr().err
    level = write_srt(tmp_path / "DJI_0002.SRT", 4.0, gimbal=False)
    assert replay(small_area, tmp_path, level, *with_video) == 2
    assert "add --yaw-from-course" in capsys.readouterr().err


def test_a_recording_has_no_use_for_a_logs_options(small_area, tmp_path, capsys):
    recording = tmp_path / "flight.mcap"
    recording.write_bytes(b"")
    command = ["replay", str(recording), "--map", str(small_area.pack)]
    assert main([*command, "--video", "a.mp4"]) == 2
    assert "flight.mcap is a recording, which has no use for it" in capsys.readouterr().err
    assert main(command) == 2
    assert "flight.mcap" in capsys.readouterr().err


def test_photographs_have_no_use_for_a_logs_options(small_area, tmp_path, capsys):
    flight = small_area.write_flight(tmp_path / "flight", count=1)
    assert main(["replay", str(flight), "--map", str(small_area.pack), "--render", "a.tif"]) == 2
    assert "--render: " in capsys.readouterr().err


def test_a_recording_is_replayed_byte_for_byte(small_area, tmp_path, capsys):
    flight = small_area.write_flight(tmp_path / "flight", count=2)
    flown = record(small_area, flight, tmp_path / "recordings")
    assert main(["replay", str(flown.path), "--map", str(small_area.pack)]) == 0
    said = capsys.readouterr().out
    assert "messages different  0" in said
    damaged = tmp_path / "half.mcap"
    damaged.write_bytes(flown.path.read_bytes()[: flown.path.stat().st_size // 4])
    assert main(["replay", str(damaged), "--map", str(small_area.pack)]) == 2
    assert "half.mcap: holds no flight" in capsys.readouterr().err  # not one whole second


def test_a_log_shorter_than_its_video_ends_the_replay(small_area, tmp_path):
    log = write_tlog(tmp_path / "flight.tlog", 3.0)
    video = write_video(small_area, tmp_path / "seen.avi", 6.0)
    assert replay(small_area, tmp_path, log, "--video", video, "--video-starts", "0") == 0
    _, reasons = errors_m(tmp_path, lambda row: int(row["time_ns"]) * 1e-9 - START_S)
    assert len(reasons) == 6  # of 12: nothing is known of the others


def test_a_truncated_video_ends_where_it_ends(small_area, tmp_path):
    log = write_tlog(tmp_path / "flight.tlog", 9.0)
    video = write_video(small_area, tmp_path / "seen.avi", 6.0)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    assert replay(small_area, tmp_path, log, "--video", video, "--video-starts", "0") == 0
    _, reasons = errors_m(tmp_path, lambda row: int(row["time_ns"]) * 1e-9 - START_S)
    assert 0 < len(reasons) < 12
