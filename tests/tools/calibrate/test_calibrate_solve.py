"""Known faults of camera and clocks are found within what is stated; what can't be told isn't."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from onboard.camera import Camera, Mounting
from tests.tools.calibrate.recorded_flight import (
    Noise,
    Truth,
    direction_error_deg,
    fly,
    straight,
    weave,
)
from tools.calibrate.flight import solve_flight
from tools.calibrate.flight_report import calibrated, findings
from tools.calibrate.model import MAP, NAMES

GIVEN = Camera(1280, 960, fx=1000.0, mounting=Mounting())
TRUE = Camera(1280, 960, fx=1040.0, mounting=Mounting(roll_deg=1.0, pitch_deg=-87.0, yaw_deg=2.0))
SIGMAS = 3.5


def off_by_sigmas(solution, name, true):
    return abs(solution.value_of(name) - true) / solution.sigma_of(name)


@pytest.mark.parametrize("stabilised", [False, True])
@pytest.mark.parametrize(
    "truth",
    [
        Truth(TRUE),
        Truth(TRUE, (3.0, -4.0), attitude_delay_s=0.3),
        Truth(TRUE, (-2.0, 6.0), attitude_delay_s=-0.1, frame_delay_s=0.3, height_error_m=4.0),
        Truth(replace(TRUE, mounting=Mounting(pitch_deg=-60.0)), (2.0, 2.0), 0.05),
    ],
    ids=["mounting", "attitude delay", "frame delay", "oblique"],
)
def test_what_is_wrong_is_found_within_its_sigma(truth, stabilised):
    def hung(camera):
        return replace(camera, mounting=replace(camera.mounting, stabilised=stabilised))

    given = hung(GIVEN)
    if truth.camera.mounting.pitch_deg == -60.0:
        given = replace(given, mounting=replace(given.mounting, pitch_deg=-55.0, yaw_deg=-3.0))
    truth = replace(truth, camera=hung(truth.camera))
    solution = solve_flight(fly(weave, truth, given), given)
    found = calibrated(given, solution)
    axis_deg, whole_deg = direction_error_deg(found, truth.camera)
    tilt_sigma = math.degrees(np.linalg.norm(solution.sigmas[:3]))
    assert axis_deg < SIGMAS * tilt_sigma
    assert whole_deg < SIGMAS * tilt_sigma
    assert tilt_sigma < 0.5
    assert off_by_sigmas(solution, "log_focal", math.log(1.04)) < SIGMAS
    assert solution.sigma_of("log_focal") < 0.02
    assert off_by_sigmas(solution, "height_m", truth.height_error_m) < SIGMAS
    assert np.all(np.abs(solution.unknowns[MAP] - truth.map_m) < SIGMAS * solution.sigmas[MAP])
    # Only the attitudes' delay against the frames can be seen, not whose clock is to blame.
    between = truth.attitude_delay_s - truth.frame_delay_s
    if not stabilised:
        assert solution.tells("attitude_delay_s")
        assert off_by_sigmas(solution, "attitude_delay_s", between) < SIGMAS
        assert solution.sigma_of("attitude_delay_s") < 0.05
    assert solution.tells("frame_delay_s")
    assert off_by_sigmas(solution, "frame_delay_s", truth.frame_delay_s) < SIGMAS


def test_sigmas_are_honest_over_many_flights():
    """Of 8 flights with other noise the errors in sigmas scatter by about one."""
    in_sigmas = []
    for seed in range(8):
        truth = Truth(TRUE, (3.0, -4.0), attitude_delay_s=0.2, frame_delay_s=0.1)
        solution = solve_flight(fly(weave, truth, GIVEN, frames=60, seed=seed), GIVEN)
        true = {"log_focal": math.log(1.04), "attitude_delay_s": 0.1, "frame_delay_s": 0.1}
        true |= {"map_east_m": 3.0, "map_north_m": -4.0}
        in_sigmas += [
            (solution.value_of(name) - value) / solution.sigma_of(name)
            for name, value in true.items()
        ]
    assert 0.5 < float(np.sqrt(np.mean(np.square(in_sigmas)))) < 1.3


def test_one_heading_cannot_part_mounting_and_map():
    solution = solve_flight(fly(straight, Truth(TRUE, (3.0, -4.0), 0.3), GIVEN), GIVEN)
    for name in ("about_forward", "about_right", *NAMES[MAP], "attitude_delay_s", "frame_delay_s"):
        assert not solution.tells(name), name
    assert solution.tells("about_down")
    found = calibrated(GIVEN, solution)
    assert found.mounting.pitch_deg == GIVEN.mounting.pitch_deg
    assert found.attitude_delay_s == GIVEN.attitude_delay_s
    said = "\n".join(findings(GIVEN, found, solution))
    assert "not told by this flight, kept as given: the tilt fore and aft" in said
    assert "fly legs in different headings" in said
    assert "further forward" not in said


def test_a_height_that_is_not_trusted_leaves_the_focal_length_open():
    def level(time_s):
        east, north, _, roll, pitch, yaw = weave(time_s)
        return east, north, 100.0, 0.1 * roll, 0.1 * pitch, yaw

    seen = fly(level, Truth(TRUE, height_error_m=3.0), GIVEN)
    sure, unsure = (solve_flight(seen, GIVEN, sigma_m) for sigma_m in (3.0, 20.0))
    assert sure.sigma_of("log_focal") == pytest.approx(0.03, abs=0.008)
    assert off_by_sigmas(sure, "log_focal", math.log(1.04)) < SIGMAS
    assert unsure.sigma_of("log_focal") > 2 * sure.sigma_of("log_focal")


def test_photographs_without_telemetry_between_them_tell_no_delay():
    seen = fly(weave, Truth(TRUE, (3.0, -4.0)), GIVEN)
    first = seen.sightings[0].time_ns
    # One attitude and one position a photograph, 8 s apart.
    sparse = tuple(s for s in seen.sightings if (s.time_ns - first) % 8_000_000_000 == 0)
    nearest = [
        [min(track, key=lambda e, s=s: abs(e.time_ns - s.time_ns)) for s in sparse]
        for track in (seen.attitudes, seen.positions)
    ]
    alone = replace(
        seen, sightings=sparse, attitudes=tuple(nearest[0]), positions=tuple(nearest[1])
    )
    solution = solve_flight(alone, GIVEN)
    assert not solution.tells("attitude_delay_s")
    assert not solution.tells("frame_delay_s")
    assert solution.value_of("frame_delay_s") == 0.0


def test_wrong_matches_do_not_count():
    truth = Truth(TRUE, (3.0, -4.0), 0.2)
    seen = fly(weave, truth, GIVEN)
    rng = np.random.default_rng(3)
    bad = tuple(
        replace(s, met_m=s.met_m + rng.normal(0, 60.0, 2)) if i % 10 == 0 else s
        for i, s in enumerate(seen.sightings)
    )
    solution = solve_flight(replace(seen, sightings=bad), GIVEN)
    assert direction_error_deg(calibrated(GIVEN, solution), TRUE)[0] < 0.4
    assert off_by_sigmas(solution, "attitude_delay_s", 0.2) < SIGMAS
    assert 9 <= int(solution.outlier.sum()) <= 14


def test_a_right_camera_stays_as_it_is():
    solution = solve_flight(fly(weave, Truth(GIVEN), GIVEN), GIVEN)
    found = calibrated(GIVEN, solution)
    assert direction_error_deg(found, GIVEN)[1] < 0.5
    assert found.focal_px[0] == pytest.approx(1000.0, rel=0.015)
    assert 0.2 <= found.mounting.sigma_deg < 1.5


def test_too_few_frames_are_said():
    seen = fly(weave, Truth(TRUE), GIVEN, frames=4)
    with pytest.raises(ValueError, match="only 4 frames were located, 6 are needed"):
        solve_flight(seen, GIVEN)
    with pytest.raises(ValueError, match="no frame was located"):
        solve_flight(replace(seen, sightings=(), refused=Counter()), GIVEN)


def test_noise_is_learned_from_the_frames():
    calm, rough = (
        solve_flight(fly(weave, Truth(TRUE), GIVEN, noise=Noise(place_m=m)), GIVEN)
        for m in (0.5, 4.0)
    )
    assert calm.frame_sigma_m < 1.0
    assert 3.0 < rough.frame_sigma_m < 5.0
    assert rough.sigma_of("about_right") > 2 * calm.sigma_of("about_right")
