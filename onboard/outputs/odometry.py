"""ODOMETRY (#331): position in the local frame, LOCAL_FRD with x to true north, for ArduPilot's
ExternalNav and PX4's external vision; velocity in BODY_FRD. ArduPilot drops other frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.outputs.local_frame import LocalPose, local_pose
from onboard.outputs.moment import Moment, measured_velocity_sigma
from onboard.telemetry_messages import Attitude

UNKNOWN_DOWN_SIGMA_M_S = 2.0  # the vertical velocity is told as 0 and was not measured


def odometry(moment: Moment) -> Any | None:
    """None while no position is offered, or the origin, attitude or height is missing.

    A velocity that was not measured is NaN to PX4, which leaves it out. ArduPilot has no such
    reading, and would compute with NaN: it is given the estimate's; the preset doesn't fuse it.
    """
    pose = local_pose(moment)
    if pose is None:
        return None
    assert moment.vehicle is not None
    velocity, velocity_covariance = _velocity(pose, moment.vehicle.autopilot == "ardupilot")
    return mavlink.MAVLink_odometry_message(
        time_usec=moment.time_usec,
        frame_id=mavlink.MAV_FRAME_LOCAL_FRD,
        child_frame_id=mavlink.MAV_FRAME_BODY_FRD,
        x=pose.north_m,
        y=pose.east_m,
        z=pose.down_m,
        q=_quaternion(pose.attitude),
        vx=float(velocity[0]),
        vy=float(velocity[1]),
        vz=float(velocity[2]),
        rollspeed=math.nan,
        pitchspeed=math.nan,
        yawspeed=math.nan,
        pose_covariance=list(pose.covariance),
        velocity_covariance=velocity_covariance,
        reset_counter=moment.reset_counter,
        estimator_type=mavlink.MAV_ESTIMATOR_TYPE_VISION,
        quality=pose.quality,
    )


def _velocity(pose: LocalPose, is_ardupilot: bool) -> tuple[NDArray[np.float64], list[float]]:
    estimate = pose.estimate
    sigma = measured_velocity_sigma(estimate)
    if sigma is None and not is_ardupilot:
        return np.full(3, math.nan), [math.nan] * 21
    to_body = _body_to_ned(pose.attitude).T
    ned = np.array([estimate.velocity_north_m_s, estimate.velocity_east_m_s, 0.0])
    if sigma is None:
        return to_body @ ned, [math.nan] * 21
    in_ned = np.diag([sigma**2, sigma**2, UNKNOWN_DOWN_SIGMA_M_S**2])
    c = np.zeros((6, 6))
    c[:3, :3] = to_body @ in_ned @ to_body.T
    return to_body @ ned, [float(v) for v in c[np.triu_indices(6)]]


def _quaternion(a: Attitude) -> list[float]:
    """w, x, y, z; body to north-east-down."""
    cr, sr = math.cos(a.roll / 2), math.sin(a.roll / 2)
    cp, sp = math.cos(a.pitch / 2), math.sin(a.pitch / 2)
    cy, sy = math.cos(a.yaw / 2), math.sin(a.yaw / 2)
    return [
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    ]


def _body_to_ned(a: Attitude) -> NDArray[np.float64]:
    w, x, y, z = _quaternion(a)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
