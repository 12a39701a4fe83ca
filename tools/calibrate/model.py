"""Where the rays of a camera meet the ground, as a function of all that may be wrong with it.

Nine unknowns. Three angles turn the camera against its given mounting, about the vehicle's
forward, right and down axes; the focal length; a constant error of the height; where the map
lies against GNSS; how late attitudes are stamped; how late frames are stamped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onboard.camera import Camera, Mounting, rotation_matrix
from onboard.geodesy import enu_offset_m
from onboard.messages import Floats
from onboard.telemetry_messages import Attitude, Gnss
from tools.calibrate.sightings import Seen, Sighting

NAMES = (
    *("about_forward", "about_right", "about_down", "log_focal", "height_m"),
    *("map_east_m", "map_north_m", "attitude_delay_s", "frame_delay_s"),
)
ANGLES, FOCAL, HEIGHT, MAP, ATTITUDE_DELAY, FRAME_DELAY = slice(0, 3), 3, 4, slice(5, 7), 7, 8
# Between samples further apart than these nothing is known of the moments between them.
MAX_ATTITUDE_GAP_S = 0.5
MAX_POSITION_GAP_S = 5.0
STRAIGHT_DOWN = 1.0 - 1e-9  # sine of the pitch at which roll and yaw become one


@dataclass(frozen=True)
class Prediction:
    """centre_m: (N, 2) east, north of the views' centres from the GNSS position. turn_scale:
    (N,) complex, the arms' predicted size and direction over those that were met."""

    centre_m: Floats
    turn_scale: NDArray[np.complex128]


class Model:
    """The sightings of a flight as arrays, for one camera as given."""

    def __init__(self, seen: Seen, sightings: tuple[Sighting, ...], camera: Camera) -> None:
        self._camera = camera
        self._rays = np.array([s.rays for s in sightings])  # (N, 3, 3)
        self.met_m = np.array([s.met_m for s in sightings])  # (N, 3, 2)
        self.agl_m = np.array([s.agl_m for s in sightings])
        self.match_sigma_m = np.array([s.sigma_m for s in sightings])
        self._start_ns = sightings[0].time_ns
        self._time_s = np.array([(s.time_ns - self._start_ns) * 1e-9 for s in sightings])
        self._attitudes = _AttitudeTrack(seen.attitudes, self._start_ns)
        self._positions = _PositionTrack(seen.positions, self._start_ns)
        m = camera.mounting
        mounted = rotation_matrix(*np.radians([m.roll_deg, m.pitch_deg, m.yaw_deg]))
        self._body_from_optical = mounted @ _optical()
        self._kept: tuple[float, Floats] | None = None

    def predict(self, unknowns: Floats) -> Prediction:
        """unknowns: (9,) in the order of NAMES."""
        rays = self._rays / np.array([np.exp(unknowns[FOCAL])] * 2 + [1.0])
        turned = _small_turn(unknowns[ANGLES]) @ self._body_from_optical
        ned = np.einsum("nij,jk,npk->npi", self._vehicle(unknowns[ATTITUDE_DELAY]), turned, rays)
        agl_m = (self.agl_m + unknowns[HEIGHT])[:, None]
        ground_m = ned[..., 1::-1] / np.maximum(ned[..., 2:], 1e-3) * agl_m[..., None]
        moved_m = self._positions.moved(self._time_s, -unknowns[FRAME_DELAY])
        arms = ground_m[:, 1:] - ground_m[:, :1]
        met = self.met_m[:, 1:] - self.met_m[:, :1]
        ratio = (arms[..., 0] + 1j * arms[..., 1]) / (met[..., 0] + 1j * met[..., 1])
        return Prediction(ground_m[:, 0] + moved_m + unknowns[MAP], ratio.mean(axis=1))

    def _vehicle(self, delay_s: float) -> Floats:
        """(N, 3, 3) NED from the frame that the mounting refers to."""
        if self._kept is None or self._kept[0] != delay_s:
            turns = self._attitudes.at(self._time_s + delay_s)
            if self._camera.mounting.stabilised:
                yaw = np.arctan2(turns[:, 1, 0], turns[:, 0, 0])
                turns = np.array([rotation_matrix(0.0, 0.0, y) for y in yaw])
            self._kept = delay_s, turns
        return self._kept[1]


def apply(camera: Camera, unknowns: Floats) -> Camera:
    """The camera as found: mounting, focal length, attitude delay."""
    m = camera.mounting
    mounted = rotation_matrix(*np.radians([m.roll_deg, m.pitch_deg, m.yaw_deg]))
    turned = _small_turn(unknowns[ANGLES]) @ mounted
    pitch = np.arcsin(np.clip(-turned[2, 0], -1.0, 1.0))
    if abs(turned[2, 0]) > STRAIGHT_DOWN:
        roll, yaw = 0.0, np.arctan2(-turned[0, 1], turned[1, 1])
    else:
        roll = np.arctan2(turned[2, 1], turned[2, 2])
        yaw = np.arctan2(turned[1, 0], turned[0, 0])
    roll_deg, pitch_deg, yaw_deg = np.degrees([roll, pitch, yaw]).tolist()
    fx, fy = (f * float(np.exp(unknowns[FOCAL])) for f in camera.focal_px)
    return replace(
        camera,
        fx=fx,
        fy=fy,
        horizontal_fov_deg=None,
        attitude_delay_s=float(unknowns[ATTITUDE_DELAY]),
        mounting=Mounting(m.stabilised, roll_deg, pitch_deg, yaw_deg, m.sigma_deg),
    )


class _AttitudeTrack:
    def __init__(self, attitudes: tuple[Attitude, ...], start_ns: int) -> None:
        self._time_s = np.array([(a.time_ns - start_ns) * 1e-9 for a in attitudes])
        self._quaternions = np.array([_quaternion(a.roll, a.pitch, a.yaw) for a in attitudes])

    def at(self, time_s: Floats) -> Floats:
        """(N, 3, 3): between two near samples along the shortest arc, else the nearest one's."""
        after = np.clip(np.searchsorted(self._time_s, time_s), 1, len(self._time_s) - 1)
        before = after - 1 if len(self._time_s) > 1 else after * 0
        after = np.minimum(after, len(self._time_s) - 1)
        gap = self._time_s[after] - self._time_s[before]
        share = np.clip((time_s - self._time_s[before]) / np.where(gap > 0, gap, 1.0), 0.0, 1.0)
        share = np.where(gap > MAX_ATTITUDE_GAP_S, np.round(share), share)[:, None]
        first, second = self._quaternions[before], self._quaternions[after]
        second = second * np.where((first * second).sum(axis=1) < 0, -1.0, 1.0)[:, None]
        return _rotations((1 - share) * first + share * second)


class _PositionTrack:
    def __init__(self, positions: tuple[Gnss, ...], start_ns: int) -> None:
        self._time_s = np.array([(p.time_ns - start_ns) * 1e-9 for p in positions])
        lat0, lon0 = positions[0].lat_deg, positions[0].lon_deg
        lats, lons = ([getattr(p, n) for p in positions] for n in ("lat_deg", "lon_deg"))
        self._place_m = np.stack(enu_offset_m(lat0, lon0, np.array(lats), np.array(lons)), axis=1)

    def moved(self, time_s: Floats, by_s: float) -> Floats:
        """(N, 2) east, north metres from time_s to by_s later; 0 where nothing is known."""
        return self._at(time_s + by_s, time_s) - self._at(time_s, time_s)

    def _at(self, time_s: Floats, around_s: Floats) -> Floats:
        place = [np.interp(time_s, self._time_s, self._place_m[:, axis]) for axis in (0, 1)]
        held = [np.interp(around_s, self._time_s, self._place_m[:, axis]) for axis in (0, 1)]
        i = np.clip(np.searchsorted(self._time_s, time_s), 1, max(1, len(self._time_s) - 1))
        padded = np.append(self._time_s, np.inf)
        known = padded[i] - self._time_s[i - 1] <= MAX_POSITION_GAP_S
        return np.where(known[:, None], np.stack(place, axis=1), np.stack(held, axis=1))


def _optical() -> Floats:
    """The frame of a camera that looks forward, from its optical axes."""
    level = Camera(16, 16, fx=16.0, mounting=Mounting(pitch_deg=0.0))
    return level.ned_from_optical(Attitude(0, 0.0, 0.0, 0.0))


def _small_turn(angles: Floats) -> Floats:
    """(3, 3) rotation by a vector, Rodrigues' formula."""
    angle = float(np.linalg.norm(angles))
    x, y, z = angles
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    turn: Floats = np.eye(3) + first * k + second * (k @ k)
    return turn


def _quaternion(roll: float, pitch: float, yaw: float) -> tuple[float, float, float, float]:
    (cr, cp, cy), (sr, sp, sy) = (f(np.array([roll, pitch, yaw]) / 2) for f in (np.cos, np.sin))
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def _rotations(quaternions: Floats) -> Floats:
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)
