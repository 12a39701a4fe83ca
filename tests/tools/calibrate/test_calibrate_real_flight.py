"""fengyuan from a camera guessed to look straight down: what its description says is found."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from onboard.camera import Camera
from onboard.settings import load_settings
from tools.cli import main

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[4] / "shared" / "data"))
FLIGHT = DATA / "fengyuan"
GUESSED = "width_px = 2000\nheight_px = 1125\nfx = 1475.0\n[mounting]\nstabilised = {}\n"

pytestmark = pytest.mark.skipif(
    not FLIGHT.exists(),
    reason=f"no real flight at {FLIGHT}; set PILOTAGE_DATA to the folder of recorded flights",
)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("calibrate") / "area.pack"
    assert main(["map", "build", str(FLIGHT / "map.csv"), "--levels", "18", "--out", str(out)]) == 0
    return out


def calibrate(pack, folder, stabilised):
    (folder / "guessed.toml").write_text(GUESSED.format(str(stabilised).lower()))
    arguments = ["--map", str(pack), "--camera", str(folder / "guessed.toml")]
    out = folder / "found.toml"
    assert main(["calibrate", "flight", str(FLIGHT), *arguments, "--out", str(out)]) == 0
    return load_settings(out, Camera)


def test_the_forward_look_and_the_maps_shift_are_found(pack, tmp_path, capsys):
    found = calibrate(pack, tmp_path, stabilised=True)
    said = capsys.readouterr().out
    assert found.mounting.pitch_deg == pytest.approx(-81.0, abs=1.5)
    assert found.mounting.yaw_deg + found.mounting.roll_deg == pytest.approx(2.0, abs=1.5)
    assert found.focal_px[0] == pytest.approx(1475.0, rel=0.07)
    east, north = re.search(r"map shows things (\S+) \S+ m east and (\S+) ", said).groups()
    assert float(north) == pytest.approx(-4.0, abs=2.5)
    assert abs(float(east)) < 2.5
    assert "kept as given: the attitudes' delay" in said


def test_a_gimbal_taken_for_a_fixed_camera_is_pointed_out(pack, tmp_path, capsys):
    calibrate(pack, tmp_path, stabilised=False)
    assert "stabilised = true would explain the flight better" in capsys.readouterr().out
