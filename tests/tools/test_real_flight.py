"""Real photographs against a real map of another year: the figures must not get worse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tools.cli import main

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[3] / "shared" / "data"))
FLIGHT = DATA / "fengyuan"
CAMERA = """\
width_px = 2000
height_px = 1125
fx = 1475.0
[mounting]
stabilised = true
pitch_deg = -81.0
yaw_deg = 2.0
"""
LEAST_LOCATED = 0.8  # within 10 m, of all; 0.94 with and 0.87 without a prior when written
MOST_MEDIAN_M = 3.0

pytestmark = pytest.mark.skipif(
    not FLIGHT.exists(),
    reason=f"no real flight at {FLIGHT}; set PILOTAGE_DATA to the folder of recorded flights",
)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("real") / "area.pack"
    assert main(["map", "build", str(FLIGHT / "map.csv"), "--levels", "18", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("prior", [["--prior-sigma-m", "50", "--seed", "1"], ["--no-prior"]])
def test_most_are_located_and_none_is_wrong(pack, tmp_path, prior):
    (tmp_path / "cam.toml").write_text(CAMERA)
    arguments = [
        *("evaluate", str(FLIGHT), "--map", str(pack), "--camera", str(tmp_path / "cam.toml")),
        *(*prior, "--out", str(tmp_path / "out")),
    ]
    assert main(arguments) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    own = results["methods"][0]
    assert own["frames"] == 31
    assert own["wrong"] == 0
    assert own["near"] >= LEAST_LOCATED * own["frames"]
    assert own["centre"]["median"] <= MOST_MEDIAN_M
