"""From where the view lies in the map to where the vehicle was, and how well that is known."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from onboard.geodesy import pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX, Fix, Floats, Match, View
from onboard.protection import fix_protection_m

Reach = Callable[[float, float], float]  # metres

SOURCE = "vision"


def vehicle_fix(
    match: Match, view: View, direction_sigma_rad: float, map_sigma_m: float, reach: Reach
) -> Fix:
    """The vehicle is above the view's nadir point, which the match carries into the map with
    the scale and rotation it found left over.

    direction_sigma_rad: one sigma per axis of the camera's direction, see `camera.Mounting`.
    map_sigma_m: the map's own error, one sigma per axis, see `pack.map_error`.
    reach: how far from a position (lat_deg, lon_deg) the vehicle may be, by what was known
    before: what bounds the error when the match does not.
    """
    middle = np.array([TILE_PX / 2, TILE_PX / 2])
    nadir_px = np.array(
        [view.nadir_east_m / view.east_m_per_px, -view.nadir_north_m / view.north_m_per_px]
    )
    linear, shift = match.view_to_map[:, :2], match.view_to_map[:, 2]
    centre_x, centre_y = linear @ middle + shift
    vehicle_x, vehicle_y = linear @ (middle + nadir_px) + shift
    centre_lat, centre_lon = pixel_to_latlon(centre_x, centre_y, match.level)
    lat, lon = pixel_to_latlon(vehicle_x, vehicle_y, match.level)
    to_metres = np.diag(pixel_size_m(float(lat), match.level)) @ np.diag([1.0, -1.0])
    covariance = to_metres @ match.covariance_px2 @ to_metres
    covariance = covariance + nadir_covariance(view, direction_sigma_rad)
    covariance = covariance + map_sigma_m**2 * np.eye(2)
    return Fix(
        time_ns=view.time_ns,
        lat_deg=float(lat),
        lon_deg=float(lon),
        centre_lat_deg=float(centre_lat),
        centre_lon_deg=float(centre_lon),
        covariance=covariance,
        protection_m=fix_protection_m(covariance, match, reach(float(lat), float(lon))),
        source=SOURCE,
        inliers=match.inliers,
    )


def nadir_covariance(view: View, direction_sigma_rad: float) -> Floats:
    """2x2 east-north m2 of the offset from the view's centre to the point below the vehicle.

    A ray tilted by t reaches the ground agl / cos(t) away: a small turn moves it by
    agl / cos(t)^2 along its own direction and by agl / cos(t) across; a wrong height moves it
    along by tan(t). A wrong yaw was found by the match as rotation and is taken out.
    """
    offset_m = math.hypot(view.nadir_east_m, view.nadir_north_m)
    tan_tilt = offset_m / view.agl_m
    slant = math.hypot(1.0, tan_tilt)  # 1 / cos(tilt)
    along_m2 = (view.agl_m * slant**2 * direction_sigma_rad) ** 2
    along_m2 += (tan_tilt * view.height_sigma_m) ** 2
    across_m2 = (view.agl_m * slant * direction_sigma_rad) ** 2
    if offset_m == 0.0:
        return np.eye(2) * along_m2
    along = np.array([view.nadir_east_m, view.nadir_north_m]) / offset_m
    across = np.array([-along[1], along[0]])
    covariance: Floats = along_m2 * np.outer(along, along) + across_m2 * np.outer(across, across)
    return covariance
