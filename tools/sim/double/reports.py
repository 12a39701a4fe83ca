"""What the autopilot tells of itself: MAVLink messages made from its state, by message number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.camera import rotation_matrix
from tools.sim.double.receivers import NO_GPS, Receiver

if TYPE_CHECKING:
    from tools.sim.double.autopilot import Autopilot

UNKNOWN_16 = 65535
GRAVITY_M_S2 = 9.80665
GPS_SENSOR = mavlink.MAV_SYS_STATUS_SENSOR_GPS
EXTERNAL_POSITION_SENSOR = mavlink.MAV_SYS_STATUS_SENSOR_VISION_POSITION
PREARM = mavlink.MAV_SYS_STATUS_PREARM_CHECK
AHRS = mavlink.MAV_SYS_STATUS_AHRS
OTHER_SENSORS = 0b1111 | mavlink.MAV_SYS_STATUS_SENSOR_MOTOR_OUTPUTS  # gyro to barometer
GUIDED_BITS = mavlink.MAV_MODE_FLAG_GUIDED_ENABLED
USUAL_BITS = (
    mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED
    | mavlink.MAV_MODE_FLAG_STABILIZE_ENABLED
    | mavlink.MAV_MODE_FLAG_MANUAL_INPUT_ENABLED
)
VERSION_4_7_DEV = (4 << 24) | (7 << 16)


def heartbeat(a: Autopilot) -> Any:
    state = mavlink.MAV_STATE_STANDBY
    if a.armed:
        state = mavlink.MAV_STATE_CRITICAL if a.failsafe else mavlink.MAV_STATE_ACTIVE
    kind = mavlink.MAV_TYPE_FIXED_WING if a.plane else mavlink.MAV_TYPE_QUADROTOR
    bits = USUAL_BITS | (GUIDED_BITS if a.navigates else 0)
    bits |= mavlink.MAV_MODE_FLAG_SAFETY_ARMED if a.armed else 0
    ardupilot = mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA
    return mavlink.MAVLink_heartbeat_message(kind, ardupilot, bits, a.mode, state, 3)


def _attitude(a: Autopilot) -> Any:
    b = a.body
    return mavlink.MAVLink_attitude_message(a.time_ms, b.roll, b.pitch, b.yaw, 0.0, 0.0, b.yaw_rate)


def _global_position(a: Autopilot) -> Any:
    lat, lon = a.believed_latlon() if a.aiding.has_origin else (0.0, 0.0)
    vn, ve = a.ekf.velocity
    up = a.believed_up_m
    return mavlink.MAVLink_global_position_int_message(
        a.time_ms, round(lat * 1e7), round(lon * 1e7), round((a.home[2] + up) * 1e3),
        round(up * 1e3), _clipped(vn * 1e2), _clipped(ve * 1e2), _clipped(-a.body.up_m_s * 1e2),
        round(math.degrees(a.body.yaw) % 360.0 * 1e2) % 36000,
    )  # fmt: skip


def _gps_fields(a: Autopilot, receiver: Receiver) -> dict[str, Any]:
    read = receiver.reading
    if read is None or read.fix_type == NO_GPS:
        lat, lon, amsl_mm, speed, course = 0, 0, 0, 0.0, 0.0
    else:
        lat_deg, lon_deg = a.latlon((read.north_m, read.east_m))
        lat, lon = round(lat_deg * 1e7), round(lon_deg * 1e7)
        amsl_mm = round((a.home[2] + read.up_m) * 1e3)
        speed = math.hypot(*read.velocity_m_s[:2])
        course = math.degrees(math.atan2(read.velocity_m_s[1], read.velocity_m_s[0])) % 360.0

    def scaled(value: float | None, by: float, unknown: int) -> int:
        return unknown if value is None else min(round(value * by), 2**32 - 1)

    gone = read is None or read.fix_type == NO_GPS
    return dict(
        time_usec=max(read.time_ns - read.delay_ns, 0) // 1000 if read else 0,
        fix_type=receiver.fix_type, lat=lat, lon=lon, alt=amsl_mm,
        eph=UNKNOWN_16 if gone or read is None else min(scaled(read.hdop, 100, UNKNOWN_16), 65535),
        epv=UNKNOWN_16 if gone or read is None else min(scaled(read.vdop, 100, UNKNOWN_16), 65535),
        vel=min(round(speed * 100), 65535), cog=round(course * 100) % 36000,
        satellites_visible=read.satellites if read else 0,
        alt_ellipsoid=amsl_mm,
        h_acc=scaled(read.accuracy_m if read else None, 1e3, 0),
        v_acc=scaled(read.height_accuracy_m if read else None, 1e3, 0),
        vel_acc=scaled(read.speed_accuracy_m_s if read else None, 1e3, 0),
        hdg_acc=0, yaw=0,
    )  # fmt: skip


def _gps_raw(a: Autopilot) -> Any:
    return mavlink.MAVLink_gps_raw_int_message(**_gps_fields(a, a.receivers[0]))


def _gps2_raw(a: Autopilot) -> Any:
    if a.parameters.acting("GPS2_TYPE") == 0:
        return None
    fields = _gps_fields(a, a.receivers[1])
    return mavlink.MAVLink_gps2_raw_message(**fields, dgps_numch=0, dgps_age=0)


def _ekf_status(a: Autopilot) -> Any:
    return mavlink.MAVLink_ekf_status_report_message(
        a.flags, a.aiding.velocity_ratio**0.5, a.aiding.position_ratio**0.5, 0.01, 0.01, 0.0, 0.0
    )


def _sys_status(a: Autopilot) -> Any:
    present = OTHER_SENSORS | AHRS | PREARM
    health = OTHER_SENSORS | (0 if a.failsafe else AHRS) | (0 if a.unready() else PREARM)
    if a.parameters["GPS1_TYPE"] != 0 or a.parameters.acting("GPS2_TYPE") != 0:
        present |= GPS_SENSOR
        health |= GPS_SENSOR if a.receivers[a.choice.primary].healthy else 0
    if a.parameters.acting("VISO_TYPE") != 0:
        present |= EXTERNAL_POSITION_SENSOR
        health |= EXTERNAL_POSITION_SENSOR if a.vision_healthy else 0
    return mavlink.MAVLink_sys_status_message(
        present, present, health, 0, 12600, 0, 100, 0, 0, 0, 0, 0, 0
    )


def _sim_state(a: Autopilot) -> Any:
    b = a.body
    q = _quaternion(b.roll, b.pitch, b.yaw)
    lat, lon = a.latlon((b.north_m, b.east_m))
    an, ae = b.acceleration_m_s2
    specific = rotation_matrix(b.roll, b.pitch, b.yaw).T @ np.array([an, ae, -GRAVITY_M_S2])
    return mavlink.MAVLink_sim_state_message(
        *q, b.roll, b.pitch, b.yaw, *specific.tolist(), 0.0, 0.0, b.yaw_rate,
        lat * 1e7, lon * 1e7, a.home[2] + b.up_m, 0.0, 0.0, b.north_m_s, b.east_m_s, -b.up_m_s,
        round(lat * 1e7), round(lon * 1e7),
    )  # fmt: skip


def _simstate(a: Autopilot) -> Any:
    b = a.body
    lat, lon = a.latlon((b.north_m, b.east_m))
    return mavlink.MAVLink_simstate_message(
        b.roll, b.pitch, b.yaw, 0.0, 0.0, -GRAVITY_M_S2, 0.0, 0.0, b.yaw_rate,
        round(lat * 1e7), round(lon * 1e7),
    )  # fmt: skip


def _vfr_hud(a: Autopilot) -> Any:
    b = a.body
    over_ground = math.hypot(*a.ekf.velocity)
    through_air = math.hypot(b.north_m_s - b.wind_m_s[0], b.east_m_s - b.wind_m_s[1])
    # A copter without an air speed sensor tells its ground speed there.
    return mavlink.MAVLink_vfr_hud_message(
        through_air if a.plane else over_ground, over_ground,
        round(math.degrees(b.yaw)) % 360, 50 if a.armed else 0, a.home[2] + a.believed_up_m,
        b.up_m_s,
    )  # fmt: skip


def _wind(a: Autopilot) -> Any:
    """ArduPilot's WIND: where it comes from."""
    north, east = a.body.wind_m_s if a.plane else (0.0, 0.0)
    return mavlink.MAVLink_wind_message(
        math.degrees(math.atan2(-east, -north)), math.hypot(north, east), 0.0
    )


def _origin(a: Autopilot) -> Any:
    if not a.aiding.has_origin:
        return None
    lat, lon, amsl = a.home[:3]
    return mavlink.MAVLink_gps_global_origin_message(
        round(lat * 1e7), round(lon * 1e7), round(amsl * 1e3), a.now_ns // 1000
    )


def _home(a: Autopilot) -> Any:
    if not a.aiding.has_origin:
        return None
    lat, lon, amsl = a.home[:3]
    nan = math.nan
    return mavlink.MAVLink_home_position_message(
        round(lat * 1e7), round(lon * 1e7), round(amsl * 1e3), 0.0, 0.0, 0.0, [nan] * 4,
        0.0, 0.0, 0.0, a.now_ns // 1000,
    )  # fmt: skip


def _local_position(a: Autopilot) -> Any:
    (n, e), (vn, ve) = a.ekf.position, a.ekf.velocity
    return mavlink.MAVLink_local_position_ned_message(
        a.time_ms, n, e, -a.believed_up_m, vn, ve, -a.body.up_m_s
    )


def _extended(a: Autopilot) -> Any:
    landed = mavlink.MAV_LANDED_STATE_ON_GROUND
    in_air = mavlink.MAV_LANDED_STATE_IN_AIR
    multicopter = mavlink.MAV_VTOL_STATE_MC
    return mavlink.MAVLink_extended_sys_state_message(
        mavlink.MAV_VTOL_STATE_FW if a.plane else multicopter,
        landed if a.body.on_ground else in_air,
    )


def _system_time(a: Autopilot) -> Any:
    return mavlink.MAVLink_system_time_message(0, a.time_ms)


def _mission_current(a: Autopilot) -> Any:
    return mavlink.MAVLink_mission_current_message(min(a.pilot.plan.number, UNKNOWN_16))


def _version(a: Autopilot) -> Any:
    needs = mavlink.MAV_PROTOCOL_CAPABILITY_MAVLINK2 | mavlink.MAV_PROTOCOL_CAPABILITY_COMMAND_INT
    needs |= mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_INT
    return mavlink.MAVLink_autopilot_version_message(
        needs, VERSION_4_7_DEV, 0, 0, 0, [0] * 8, [0] * 8, [0] * 8, 0, 0, 0
    )


REPORTS: dict[int, Callable[[Autopilot], Any]] = {
    mavlink.MAVLINK_MSG_ID_HEARTBEAT: heartbeat,
    mavlink.MAVLINK_MSG_ID_SYS_STATUS: _sys_status,
    mavlink.MAVLINK_MSG_ID_SYSTEM_TIME: _system_time,
    mavlink.MAVLINK_MSG_ID_GPS_RAW_INT: _gps_raw,
    mavlink.MAVLINK_MSG_ID_ATTITUDE: _attitude,
    mavlink.MAVLINK_MSG_ID_LOCAL_POSITION_NED: _local_position,
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: _global_position,
    mavlink.MAVLINK_MSG_ID_MISSION_CURRENT: _mission_current,
    mavlink.MAVLINK_MSG_ID_GPS_GLOBAL_ORIGIN: _origin,
    mavlink.MAVLINK_MSG_ID_VFR_HUD: _vfr_hud,
    mavlink.MAVLINK_MSG_ID_SIM_STATE: _sim_state,
    mavlink.MAVLINK_MSG_ID_GPS2_RAW: _gps2_raw,
    mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION: _version,
    mavlink.MAVLINK_MSG_ID_SIMSTATE: _simstate,
    mavlink.MAVLINK_MSG_ID_WIND: _wind,
    mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT: _ekf_status,
    mavlink.MAVLINK_MSG_ID_HOME_POSITION: _home,
    mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: _extended,
}


def _quaternion(roll: float, pitch: float, yaw: float) -> tuple[float, float, float, float]:
    cr, sr = math.cos(roll / 2), math.sin(roll / 2)
    cp, sp = math.cos(pitch / 2), math.sin(pitch / 2)
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    return (
        cr * cp * cy + sr * sp * sy,
        sr * cp * cy - cr * sp * sy,
        cr * sp * cy + sr * cp * sy,
        cr * cp * sy - sr * sp * cy,
    )


def _clipped(value: float) -> int:
    return max(min(round(value), 32767), -32768)
