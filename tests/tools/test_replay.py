"""Replay as a person runs it: real photographs of a real small map, all the way to the files."""

import csv
import json
import os
import socket

import numpy as np
import pytest

from tests.tools.photographs import write_photo
from tools.cli import main
from tools.replay import duration_s

os.environ["MAVLINK20"] = "1"
from pymavlink.dialects.v20 import ardupilotmega


def replay(small_area, flight, out, *more):
    camera = flight.parent / "cam.toml"
    arguments = ["--map", str(small_area.pack), "--camera", str(camera), "--report", str(out)]
    return main(["replay", str(flight), *arguments, *more])


def rows(out):
    with (out / "fixes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_latency(out):
    return [{**row, "latency_ms": ""} for row in rows(out)]


def test_photographs_of_the_map_are_found_in_it(small_area, tmp_path, capsys):
    flight = small_area.write_flight(tmp_path / "flight")
    assert replay(small_area, flight, tmp_path / "out") == 0
    got = rows(tmp_path / "out")
    assert [row["frame"] for row in got] == [f"DJI_000{i}.jpg" for i in range(4)]
    assert all(row["reason"] or row["status"] == "accepted" for row in got)
    assert sum(row["status"] == "accepted" for row in got) >= 2
    said = capsys.readouterr().out
    assert "camera from" in said
    assert "availability of a position" in said
    names = {p.name for p in (tmp_path / "out").iterdir()}
    assert names == {"fixes.csv", "fixes.geojson", "report.html"}


def test_the_pace_changes_nothing(small_area, tmp_path):
    flight = small_area.write_flight(tmp_path / "flight", count=2)
    for pace in ("fast", "recorded"):
        assert replay(small_area, flight, tmp_path / pace, "--pace", pace) == 0
    assert without_latency(tmp_path / "fast") == without_latency(tmp_path / "recorded")


def test_positions_arrive_as_gps_input(small_area, tmp_path):
    flight = small_area.write_flight(tmp_path / "flight", count=3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5.0)
        address = f"udpout:127.0.0.1:{listener.getsockname()[1]}"
        assert replay(small_area, flight, tmp_path / "out", "--mavlink", address) == 0
        parser = ardupilotmega.MAVLink(None)
        listener.setblocking(False)
        messages = []
        while True:
            try:
                messages += parser.parse_buffer(listener.recv(2048)) or []
            except BlockingIOError:
                break
    positions = [m for m in messages if m.get_type() == "GPS_INPUT"]
    assert len(positions) == 40  # 4 s at 10 Hz
    assert max(p.fix_type for p in positions) == 3
    assert {m.get_type() for m in messages} >= {"HEARTBEAT", "STATUSTEXT", "GPS_INPUT"}


def test_every_broken_photograph_keeps_its_row_and_a_reason(small_area, tmp_path):
    flight = small_area.write_flight(tmp_path / "flight", count=2)
    whole = (flight / "DJI_0001.jpg").read_bytes()
    (flight / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    black = np.zeros((360, 480, 3), np.uint8)
    bad = {
        "black.jpg": {"picture": black, "time": "2024:10:30 10:00:10"},
        "double.jpg": {"time": "2024:10:30 10:00:00", "picture": black + 90},
        "heightless.jpg": {"agl_m": None, "time": "2024:10:30 10:00:30"},
        "unturned.jpg": {
            "flight_deg": None,
            "time": "2024:10:30 10:00:50",
            "picture": np.random.default_rng(5).integers(1, 255, black.shape, np.uint8),
        },
        "cropped.jpg": {"size": (300, 300), "time": "2024:10:30 10:01:00"},
    }
    for name, tags in bad.items():
        write_photo(flight / name, **{"size": (480, 360), "agl_m": 100.0, **tags})
    assert replay(small_area, flight, tmp_path / "out") == 0
    reasons = {row["frame"]: row["reason"] for row in rows(tmp_path / "out")}
    assert len(reasons) == 8
    assert reasons["black.jpg"] == "too_dark"
    assert reasons["double.jpg"] == "duplicate_time"
    assert reasons["heightless.jpg"] == "no_height"
    assert reasons["unturned.jpg"] == "no_attitude"
    # One second is the tags' resolution: the cut one has the time of the whole one.
    assert {reasons["cut.jpg"], reasons["DJI_0001.jpg"]} & {"bad_picture", "duplicate_time"}
    assert reasons["cropped.jpg"] == "bad_picture"


def test_the_map_of_another_place_is_said_and_every_frame_refused(small_area, tmp_path, capsys):
    flight = small_area.write_flight(tmp_path / "flight", count=2, position=(47.5, -92.25))
    assert replay(small_area, flight, tmp_path / "out") == 2
    first, second = (row["reason"] for row in rows(tmp_path / "out"))
    assert first and second == "outside_map"  # a receiver is believed after a second
    said = capsys.readouterr()
    assert "wrong map, the flight lies 110.9 km from it" in said.err
    assert "refused     1  outside_map" in said.out


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("camera", "unknown key 'fxx'; did you mean 'fx'?"),
        ("pack", "bytes long, the manifest says"),
        ("model", "was described with model"),
        ("folder", "no such folder"),
        ("empty", "no photographs in it"),
        ("link", "cannot be opened"),
        ("map", "not a map pack"),
        ("out", "cannot be made"),
    ],
)
def test_bad_input_is_one_sentence(small_area, tmp_path, capsys, broken, says):
    flight = small_area.write_flight(tmp_path / "flight", count=1)
    pack, out, more = small_area.pack, tmp_path / "out", []
    if broken == "camera":
        camera = tmp_path / "cam.toml"
        camera.write_text(camera.read_text().replace("fx", "fxx"))
    elif broken in ("pack", "model"):
        pack = tmp_path / "other.pack"
        _copy(small_area.pack, pack)
        if broken == "pack":
            data = (pack / "imagery.mbtiles").read_bytes()
            (pack / "imagery.mbtiles").write_bytes(data[:-5000])
        else:
            manifest = json.loads((pack / "manifest.json").read_text())
            manifest["model"]["sha256"] = "0" * 64
            (pack / "manifest.json").write_text(json.dumps(manifest))
    elif broken == "folder":
        flight = tmp_path / "none"
    elif broken == "empty":
        (flight / "DJI_0000.jpg").unlink()
    elif broken == "link":
        more = ["--mavlink", str(tmp_path / "ttyNONE")]
    elif broken == "map":
        pack = tmp_path
    elif broken == "out":
        out.write_text("in the way")
    arguments = ["--map", str(pack), "--camera", str(tmp_path / "cam.toml"), "--report", str(out)]
    assert main(["replay", str(flight), *arguments, *more]) == 2
    said = capsys.readouterr().err.strip()
    assert says in said
    assert len(said.splitlines()) == 1


def test_durations():
    assert [duration_s(t) for t in ("20", "20s", "1.5min", "0s")] == [20.0, 20.0, 90.0, 0.0]
    for wrong in ("", "s", "soon", "-3s", "nan", "20h", "20ms"):
        with pytest.raises(Exception, match="is n"):
            duration_s(wrong)


def _copy(source, target):
    target.mkdir()
    for path in source.rglob("*"):
        to = target / path.relative_to(source)
        if path.is_dir():
            to.mkdir()
        else:
            to.write_bytes(path.read_bytes())
