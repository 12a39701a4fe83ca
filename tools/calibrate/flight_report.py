"""What a calibration flight told, in lines for a person, and the camera that follows from it."""

from __future__ import annotations

import math
from dataclasses import replace

from onboard.camera import Camera
from tools.calibrate.model import ANGLES, MAP, NAMES, apply
from tools.calibrate.solve import Solution

MIN_DIRECTION_SIGMA_DEG = 0.2  # what no attitude of a small drone is better than
AMBIGUOUS = 0.8  # correlation from which on two unknowns stand for one another
WHAT = {
    "about_forward": "the tilt to the sides",
    "about_right": "the tilt fore and aft",
    "about_down": "the turn about the vertical",
    "log_focal": "the focal length",
    "height_m": "the height",
    "map_east_m": "the map's place east",
    "map_north_m": "the map's place north",
    "attitude_delay_s": "the attitudes' delay",
    "frame_delay_s": "the frames' delay against GNSS",
}
HEADINGS = "fly legs in different headings, so that mounting and map part"
WANTED = {  # what would have told it
    "about_forward": HEADINGS,
    "about_right": HEADINGS,
    "about_down": "fly longer over the map",
    "log_focal": "fly longer over the map; say how good the heights are with --height-sigma-m",
    "map_east_m": HEADINGS,
    "map_north_m": HEADINGS,
    "attitude_delay_s": "record attitudes at 5 Hz or more and bank left and right",
    "frame_delay_s": "record positions at 1 Hz or more; change speed and heading",
}
GIVEN = "as given: the flight does not tell it"


def calibrated(given: Camera, solution: Solution) -> Camera:
    """The camera with what was told, and how well its direction is known in a frame: its own
    scatter, taken as an angle, belongs to it."""
    found = apply(given, solution.unknowns)
    sigma_deg = given.mounting.sigma_deg
    if solution.tells("about_forward") and solution.tells("about_right"):
        known = max(solution.sigmas[ANGLES][:2])
        sigma_deg = math.degrees(math.hypot(known, solution.frame_sigma_rad))
        sigma_deg = max(MIN_DIRECTION_SIGMA_DEG, sigma_deg)
    return replace(found, mounting=replace(found.mounting, sigma_deg=sigma_deg))


def findings(given: Camera, found: Camera, solution: Solution) -> list[str]:
    """One a line; then what the flight does not tell, what would, and what only goes together."""
    left, forward, turn = (_degrees(solution, axis) for axis in range(3))
    text = {
        "about_right": f"the camera looks {forward} deg further forward than given",
        "about_forward": f"the camera looks {left} deg further to the left than given",
        "about_down": f"the camera is turned {turn} deg clockwise (from above) against the given",
        "log_focal": _focal(given, found, solution),
        "attitude_delay_s": (
            f"attitudes are stamped {_milliseconds(solution, 'attitude_delay_s')} ms later than "
            "frames of the same moment"
        ),
        "frame_delay_s": (
            f"frames are stamped {_milliseconds(solution, 'frame_delay_s')} ms later than "
            "positions of the same moment (a live camera's latency_ms should be that much larger)"
        ),
    }
    said = [line for name, line in text.items() if solution.tells(name)]
    if solution.told[MAP].all():
        east, north = (_metres(solution, name) for name in NAMES[MAP])
        said.append(
            f"the map shows things {east} m east and {north} m north of where GNSS, with its own "
            "bias, has them (this does not go into the camera file)"
        )
    said += [
        f"not told by this flight, kept as given: {WHAT[name]} (+-{_sigma(solution, name)}); {why}"
        for name, why in WANTED.items()
        if not solution.tells(name)
    ]
    return said + _going_together(solution)


def worth(solution: Solution) -> dict[str, str]:
    """Comments for the camera file's keys."""

    def said(name: str, text: str) -> str:
        return f"+-{_sigma(solution, name)} {text}".rstrip() if solution.tells(name) else GIVEN

    return {
        "fx": said("log_focal", ""),
        "attitude_delay_s": said("attitude_delay_s", ""),
        "roll_deg": said("about_forward", "to the sides"),
        "pitch_deg": said("about_right", "fore and aft"),
        "yaw_deg": said("about_down", "about the vertical"),
        "sigma_deg": "direction in a single frame, its attitude's error included",
    }


def _focal(given: Camera, found: Camera, solution: Solution) -> str:
    ratio = 100 * solution.scale_sigma / math.sqrt(len(solution.outlier))
    return (
        f"the focal length is {found.focal_px[0]:.1f} px +-{_sigma(solution, 'log_focal')} (given "
        f"{given.focal_px[0]:.1f}); as a share of the height it is known to {ratio:.1f} %, but a "
        f"height that is wrong throughout looks the same (+-{_sigma(solution, 'height_m')} here)"
    )


def _degrees(solution: Solution, axis: int) -> str:
    value, sigma = (math.degrees(v[ANGLES][axis]) for v in (solution.unknowns, solution.sigmas))
    return f"{value:+.2f} +-{sigma:.2f}"


def _going_together(solution: Solution) -> list[str]:
    return [
        f"{WHAT[NAMES[j]]} and {WHAT[NAMES[i]]} go together (correlation "
        f"{solution.correlation[i, j]:+.2f}): trust them as a pair"
        for i in range(len(NAMES))
        for j in range(i)
        if abs(solution.correlation[i, j]) > AMBIGUOUS and solution.told[i] and solution.told[j]
    ]


def _metres(solution: Solution, name: str) -> str:
    return f"{solution.value_of(name):+.1f} +-{solution.sigma_of(name):.1f}"


def _milliseconds(solution: Solution, name: str) -> str:
    return f"{1e3 * solution.value_of(name):+.0f} +-{1e3 * solution.sigma_of(name):.0f}"


def _sigma(solution: Solution, name: str) -> str:
    sigma = solution.sigma_of(name)
    if name.startswith("about"):
        return f"{math.degrees(sigma):.2f} deg"
    if name == "log_focal":
        return f"{100 * sigma:.1f} %"
    return f"{1e3 * sigma:.0f} ms" if name.endswith("_s") else f"{sigma:.1f} m"
