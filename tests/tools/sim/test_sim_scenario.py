"""Whole scenarios in closed loop with the double, over a small real map."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from onboard.describe import Describer
from onboard.errors import InputError
from onboard.flight_settings import TakeoverMethod, TakeoverSettings
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.reasons import GnssState, Mode
from tests.tools import small_area as ground
from tools.cli import main
from tools.sim.area import Area
from tools.sim.fly import Autopilot, fly
from tools.sim.judge import failures, figures_of
from tools.sim.scenario import (
    Expected,
    Fault,
    FaultKind,
    Mission,
    Scenario,
    SimulatedCamera,
    load_scenario,
    shipped_scenarios,
)
from tools.sim.scenes import Appearance, imagery_scene

CAMERA = SimulatedCamera(
    *ground.PHOTO_PX,
    horizontal_fov_deg=2 * math.degrees(math.atan(ground.PHOTO_PX[0] / 2 / ground.FOCAL_PX)),
    frame_hz=1.0,
)
MISSION = Mission(ground.AGL_M, 3.0, (0.0, 0.0), ((15.0, 0.0), (0.0, 15.0)))
JAMMED = Scenario(
    title="jammed over a small map, then free",
    seconds=105.0,
    mission=MISSION,
    camera=CAMERA,
    takeover=TakeoverSettings(TakeoverMethod.GPS_PRIMARY),
    faults=(Fault(FaultKind.GNSS_JAM, 55.0),),
    expect=Expected(
        max_error_m=15.0,
        gnss_states=(GnssState.GOOD, GnssState.JAMMED),
        mode_at_end=Mode.TRACKING,
    ),
)


@pytest.fixture(scope="module")
def area(small_area) -> Area:
    pack = MapPack.open(small_area.pack)
    path = small_area.folder / "area.csv"
    return Area(pack, lambda rendering, seed: imagery_scene([path], Appearance(), seed=seed), "")


def test_a_jammed_copter_is_held(area, tmp_path):
    flown = fly(JAMMED, area, Describer(load_bundle(), threads=1), Autopilot(), tmp_path)
    figures = figures_of(JAMMED, flown)
    assert failures(JAMMED, flown, figures) == []
    assert figures.accepted > figures.frames / 4
    assert figures.misleading == 0 and figures.trusted > 300
    assert any("taking over" in text for _, text in flown.texts)


def test_the_judge_says_what_did_not_hold(area, tmp_path):
    """Without a companion that takes over, the same flight fails, and the judge says why."""
    alone = replace(JAMMED, takeover=TakeoverSettings(), seconds=85.0)
    flown = fly(alone, area, Describer(load_bundle(), threads=1), Autopilot(), tmp_path)
    assert any("error" in sentence for sentence in failures(alone, flown, figures_of(alone, flown)))


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped_scenarios_are_read(name):
    scenario = load_scenario(name)
    assert scenario.title and scenario.faults
    assert all(fault.at_s < scenario.seconds for fault in scenario.faults)


def test_an_unknown_scenario_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'slow_spoof'"):
        load_scenario("slow_spof")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosuch"], "no scenario 'nosuch'"),
        (["slow_spoof", "--imagery", "a.tif"], "go together"),
        (["slow_spoof", "--seconds", "1"], "give 10"),
    ],
)
def test_wrong_commands_are_one_sentence(tmp_path, capsys, arguments, says):
    assert main(["sim", *arguments, "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip()
    assert says in said and "\n" not in said


def test_the_shipped_ones_are_listed(capsys):
    assert main(["sim", "--list"]) == 0
    assert "jam_and_recover" in capsys.readouterr().out
