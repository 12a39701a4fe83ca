"""What a calibration flight told, in lines for a person, and the camera file that follows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from onboard.camera import Camera
from onboard.messages import Floats
from tools.calibrate.model import ANGLES, ATTITUDE_DELAY, FOCAL, MAP, apply
from tools.calibrate.sightings import Seen
from tools.calibrate.solve import Solution

MIN_DIRECTION_SIGMA_DEG = 0.2  # what no attitude of a small drone is better than
AMBIGUOUS = 0.8  # correlation from which on two unknowns are said to stand for one another
# What would have told it.
WANTED = {
    "about_forward": "fly legs in different headings, so that mounting and map part",
    "about_right": "fly legs in different headings, so that mounting and map part",
    "about_down": "let more frames be located",
    "log_focal": "let more frames be located",
    "attitude_delay_s": "record attitudes at 5 Hz or more and bank left and right",
    "frame_delay_s": "record positions at 1 Hz or more; change speed and heading",
}


def calibrated(camera: Camera, solution: Solution) -> Camera:
    """The camera with what was told, and how well its direction is known from frame to frame."""
    found = apply(camera, solution.unknowns)
    sigma_deg = camera.mounting.sigma_deg
    if solution.tells("about_forward") and solution.tells("about_right"):
        known_deg = math.degrees(max(solution.sigmas[ANGLES][:2]))
        sigma_deg = max(MIN_DIRECTION_SIGMA_DEG, math.hypot(known_deg, _scatter_deg(solution)))
    return replace(found, mounting=replace(found.mounting, sigma_deg=sigma_deg))


def lines(camera: Camera, found: Camera, solution: Solution, seen: Seen) -> list[str]:
    """One finding a line; then what the flight does not tell, and why."""
    m, sigma_deg = found.mounting, np.degrees(solution.sigmas[ANGLES])
    told = []
    for name, text in (
        (
            "about_right",
            f"camera looks {_angle(solution, 1):+.2f} deg further forward than given "
            f"(+-{sigma_deg[1]:.2f}): pitch_deg = {m.pitch_deg:.2f}",
        ),
        (
            "about_forward",
            f"camera looks {-_angle(solution, 0):+.2f} deg further to the right than given "
            f"(+-{sigma_deg[0]:.2f}): roll_deg = {m.roll_deg:.2f}",
        ),
        (
            "about_down",
            f"camera is turned {_angle(solution, 2):+.2f} deg clockwise against the given, seen "
            f"from above (+-{sigma_deg[2]:.2f}): yaw_deg = {m.yaw_deg:.2f}",
        ),
        ("log_focal", _focal_line(camera, found, solution, seen)),
        (
            "attitude_delay_s",
            f"attitudes are stamped {found.attitude_delay_s * 1e3:+.0f} ms late against the frames "
            f"(+-{solution.sigma_of('attitude_delay_s') * 1e3:.0f})",
        ),
        ("frame_delay_s", _frame_delay_line(solution)),
    ):
        if solution.tells(name):
            told.append(text)
    if solution.told[MAP].all():
        (east, north), (sigma_e, sigma_n) = solution.unknowns[MAP], solution.sigmas[MAP]
        told.append(
            f"the map lies {east:+.1f} m east (+-{sigma_e:.1f}), {north:+.1f} m north "
            f"(+-{sigma_n:.1f}) of GNSS, whose own bias is in it: not in the camera file"
        )
    told += [f"not told, kept as given: {n}: {w}" for n, w in _untold(solution)]
    return told + _ambiguities(solution)


def worth(solution: Solution) -> dict[str, str]:
    """Comments for the camera file's keys."""
    sigma_deg = np.degrees(solution.sigmas[ANGLES])

    def said(name: str, text: str) -> str:
        return text if solution.tells(name) else "as given: the flight does not tell it"

    return {
        "fx": said("log_focal", f"+-{100 * solution.sigma_of('log_focal'):.1f} % (1 sigma)"),
        "attitude_delay_s": said(
            "attitude_delay_s", f"+-{solution.sigma_of('attitude_delay_s'):.3f}"
        ),
        "roll_deg": said("about_forward", f"+-{sigma_deg[0]:.2f} to the sides"),
        "pitch_deg": said("about_right", f"+-{sigma_deg[1]:.2f} fore and aft"),
        "yaw_deg": said("about_down", f"+-{sigma_deg[2]:.2f} about the vertical"),
    }


def _angle(solution: Solution, axis: int) -> float:
    return math.degrees(float(solution.unknowns[ANGLES][axis]))


def _scatter_deg(solution: Solution) -> float:
    """A frame's own direction error at most: all of its scatter taken as an angle."""
    return math.degrees(solution.frame_sigma_rad)


def _focal_line(camera: Camera, found: Camera, solution: Solution, seen: Seen) -> str:
    sigma = solution.sigma_of("log_focal")
    ratio = solution.scale_sigma / math.sqrt(len(seen.sightings))
    height_m = solution.sigma_of("height_m")
    return (
        f"focal length {found.focal_px[0]:.1f} px where {camera.focal_px[0]:.1f} was given "
        f"(+-{100 * sigma:.1f} %); over the height it is known to {100 * ratio:.1f} %, the height "
        f"itself to {height_m:.1f} m, and a wrong height looks like a wrong focal length"
    )


def _frame_delay_line(solution: Solution) -> str:
    value, sigma = solution.value_of("frame_delay_s"), solution.sigma_of("frame_delay_s")
    return (
        f"frames are stamped {value * 1e3:+.0f} ms late against the positions (+-{sigma * 1e3:.0f}):"
        " add it to the camera address's latency_ms and take it from nothing else"
        if abs(value) > 2 * sigma
        else f"frames' and positions' stamps agree ({value * 1e3:+.0f} +-{sigma * 1e3:.0f} ms)"
    )


def _untold(solution: Solution) -> list[tuple[str, str]]:
    names = {
        "about_forward": "the tilt to the sides",
        "about_right": "the tilt fore and aft",
        "about_down": "the turn about the vertical",
        "log_focal": "the focal length",
        "attitude_delay_s": "the attitudes' delay",
        "frame_delay_s": "the frames' delay against GNSS",
    }
    return [
        (f"{what} (+-{_sigma_text(solution, name)})", WANTED[name])
        for name, what in names.items()
        if not solution.tells(name)
    ]


def _sigma_text(solution: Solution, name: str) -> str:
    sigma = solution.sigma_of(name)
    if name.startswith("about"):
        return f"{math.degrees(sigma):.1f} deg"
    return f"{100 * sigma:.0f} %" if name == "log_focal" else f"{sigma:.2f} s"


def _ambiguities(solution: Solution) -> list[str]:
    from tools.calibrate.model import NAMES

    pairs = []
    for i, first in enumerate(NAMES):
        for j in range(i):
            r = float(solution.correlation[i, j])
            if abs(r) > AMBIGUOUS and solution.told[i] and solution.told[j]:
                pairs.append(f"{NAMES[j]} and {first} are told together ({r:+.2f})")
    return pairs


def direction_change_deg(solution: Solution) -> Floats:
    return np.degrees(solution.unknowns[ANGLES])


__all__ = ["ATTITUDE_DELAY", "FOCAL", "calibrated", "lines", "worth"]
