from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onboard.describe import Describer
from onboard.model_bundle import load_bundle
from onboard.motion import view_motion
from tests.onboard.ground import GROUND_SIZE_M, texture, view_of


@pytest.fixture(scope="module")
def describer() -> Describer:
    return Describer(load_bundle(), threads=1)


def described(describer, view):
    return view, describer.describe(view.picture[None])[0]


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (30, -12), (-55.5, 40.25), (90, 0)])
def test_sees_the_displacement(describer, dx, dy):
    ground = texture(5)
    before = described(describer, view_of(ground, 500, 500, time_ns=10))
    now = described(describer, view_of(ground, 500 + dx, 500 + dy, time_ns=20))
    motion = view_motion(before, now, describer.network)
    assert motion is not None
    assert (motion.from_ns, motion.to_ns) == (10, 20)
    assert motion.east_m == pytest.approx(dx * GROUND_SIZE_M, abs=1.0)
    assert motion.north_m == pytest.approx(-dy * GROUND_SIZE_M, abs=1.0)
    sigmas = np.sqrt(np.diag(motion.covariance))
    assert (sigmas > 0.2).all() and (sigmas < 10).all()


def test_the_nadir_moves_with_the_tilt(describer):
    """The same ground in the middle of both pictures, but seen at a slant the second time."""
    ground = texture(6)
    before = described(describer, view_of(ground, 500, 500))
    slanted = replace(view_of(ground, 500, 500), nadir_east_m=-12.0, nadir_north_m=5.0)
    motion = view_motion(before, (slanted, before[1]), describer.network)
    assert motion is not None
    assert (motion.east_m, motion.north_m) == pytest.approx((-12.0, 5.0), abs=0.5)


def test_other_ground_gives_no_motion(describer):
    before = described(describer, view_of(texture(7), 500, 500))
    elsewhere = described(describer, view_of(texture(8), 500, 500))
    assert view_motion(before, elsewhere, describer.network) is None


def test_other_level_gives_no_motion(describer):
    before = described(describer, view_of(texture(7), 500, 500))
    higher = (replace(before[0], level=17), before[1])
    assert view_motion(before, higher, describer.network) is None
