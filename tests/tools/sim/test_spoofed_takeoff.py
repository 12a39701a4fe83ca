"""A double that is spoofed while it is still disarmed, over a hillside that the map knows.

It believes to stand 21 m higher than it does, and flies 70 m beside its route until the ground is
seen from where it can be found. A receiver spoofed from the start is believed until then.
"""

from __future__ import annotations

import math

from maps.sources.open_imagery import open_imagery
from onboard.describe import Describer
from onboard.flight_settings import TakeoverMethod, TakeoverSettings
from onboard.model_bundle import load_bundle
from onboard.pack.pack_manifest import IMAGERY_NAME
from onboard.reasons import GnssState, Mode
from tests.onboard.hillside_flight import Flight, Hillside, hillside
from tests.tools import small_area as ground
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
)
from tools.sim.scenes import Appearance, ImageryScene

UPHILL_M = 70.0  # 21 m higher than where it stands
SPOOFED = Scenario(
    title="spoofed before the take-off",
    seconds=100.0,
    mission=Mission(ground.AGL_M, 3.0, (0.0, 45.0), ((15.0, 0.0), (0.0, 15.0))),
    camera=SimulatedCamera(
        *ground.PHOTO_PX,
        horizontal_fov_deg=2 * math.degrees(math.atan(ground.PHOTO_PX[0] / 2 / ground.FOCAL_PX)),
        frame_hz=1.0,
    ),
    takeover=TakeoverSettings(TakeoverMethod.GPS_PRIMARY),
    faults=(Fault(FaultKind.GNSS_JUMP, 0.0, amount=UPHILL_M, towards_deg=0.0),),
    expect=Expected(
        wrong_estimate_m=UPHILL_M + 10.0,
        gnss_states=(GnssState.GOOD, GnssState.SPOOFED),
        mode_at_end=Mode.TRACKING,
    ),
)


def test_the_height_and_the_position_are_found(small_area, tmp_path):
    describer = Describer(load_bundle(), threads=1)
    pack = Flight(small_area, describer, []).pack(tmp_path / "hill.pack", hillside)
    (sources,) = open_imagery([small_area.pack / IMAGERY_NAME])
    scene = ImageryScene(sources, Hillside(), Appearance())
    area = Area(pack, lambda rendering, seed: scene, "")
    flown = fly(SPOOFED, area, describer, Autopilot(), tmp_path)
    figures = figures_of(SPOOFED, flown)
    assert failures(SPOOFED, flown, figures) == []
    assert figures.misleading == 0
    texts = [text for _, text in flown.texts]
    assert any("height corrected by -2" in text for text in texts)
    results = [frame.result for frame in flown.frames]
    first = next(k for k, r in enumerate(results) if r.fix)
    found = [r for r in results[first:] if r.fix]
    assert len(found) > 0.9 * len(results[first:])
    for r in results[first + 1 :]:
        assert r.height is not None and r.height.bias_m is not None
        assert abs(r.height.bias_m) < 6.0 < 0.3 * UPHILL_M
