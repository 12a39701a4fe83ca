"""What the autopilot does with the messages that reach it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.camera import rotation_matrix
from tools.sim.double.aiding import VisionReading
from tools.sim.double.flight_modes import Flying
from tools.sim.double.mission_protocol import MissionProtocol
from tools.sim.double.receivers import MAVLINK_TYPE
from tools.sim.double.reports import REPORTS

if TYPE_CHECKING:
    from tools.sim.double.autopilot import Autopilot
    from tools.sim.double.streams import Streams

ACCEPTED, DENIED, UNSUPPORTED, FAILED = 0, 2, 3, 4  # MAV_RESULT
FORCE_ARM, FORCE_REBOOT = 21196, 20190226
PARAMETER_QUEUE = 20  # reads waiting at most; what comes on top is lost without notice
NO_SUCH_PARAMETER, BAD_VALUE = 1, 2  # PARAM_ERROR (#345)
BY_NAME = 65535  # PARAM_VALUE's index in answers to a name
MIN_VISION_SIGMA_M = 0.01
POSE_DIAGONAL = (0, 6, 11)  # of the upper triangle, x y z
ODOMETRY_FRAMES = (mavlink.MAV_FRAME_LOCAL_FRD, mavlink.MAV_FRAME_BODY_FRD)
IGNORES_POSITION, IGNORES_VELOCITY = 0b111, 0b111000  # POSITION_TARGET_TYPEMASK


class Inbox:
    """reboot: called when the autopilot is told to boot anew."""

    def __init__(
        self, autopilot: Autopilot, streams: list[Streams], reboot: Callable[[], None]
    ) -> None:
        self._autopilot, self._streams, self._reboot = autopilot, streams, reboot
        self._missions = MissionProtocol(autopilot)
        self._parameter_reads: list[tuple[int, str, int]] = []
        self._wanted_once: list[tuple[int, int]] = []  # link, message number
        self._hear: dict[str, Callable[[Any, int], None]] = {
            "COMMAND_LONG": self._command_long,
            "COMMAND_INT": self._command_int,
            "GPS_INPUT": self._gps_input,
            "ODOMETRY": self._odometry,
            "PARAM_REQUEST_LIST": self._parameter_list,
            "PARAM_REQUEST_READ": self._parameter_read,
            "PARAM_SET": self._parameter_set,
            "REQUEST_DATA_STREAM": self._data_stream,
            "SET_GPS_GLOBAL_ORIGIN": self._set_origin,
            "SET_MODE": self._set_mode,
            "SET_POSITION_TARGET_GLOBAL_INT": self._target,
            "TIMESYNC": self._timesync,
            "VISION_POSITION_ESTIMATE": self._vision_position,
        }

    def hear(self, message: Any, link: int) -> None:
        """A decoded message that is for this vehicle or for all."""
        handle = self._hear.get(message.get_type())
        if handle is not None:
            handle(message, link)
        else:
            self._missions.hear(message, link)

    def step(self) -> None:
        """Answers what waited."""
        for link, name, index in self._parameter_reads:
            self._tell_parameter(name, link, index)
        self._parameter_reads.clear()
        for link, number in self._wanted_once:
            if (message := REPORTS[number](self._autopilot)) is not None:
                self._autopilot.say(message, link)
        self._wanted_once.clear()

    def _command_long(self, m: Any, link: int) -> None:
        params = (m.param1, m.param2, m.param3, m.param4, m.param5, m.param6, m.param7)
        self._ack(m, self._command(m.command, params, link), link)

    def _command_int(self, m: Any, link: int) -> None:
        if m.command == mavlink.MAV_CMD_EXTERNAL_POSITION_ESTIMATE:
            self._ack(m, self._external_position(m), link)
            return
        if m.command == mavlink.MAV_CMD_DO_REPOSITION:
            target = self._autopilot.plan.place_of(m.frame, m.x, m.y, m.z)
            self._ack(m, self._fly_to(target), link)
            return
        params = (m.param1, m.param2, m.param3, m.param4, m.x * 1e-7, m.y * 1e-7, m.z)
        self._ack(m, self._command(m.command, params, link), link)

    def _ack(self, m: Any, result: int, link: int) -> None:
        self._autopilot.say(
            mavlink.MAVLink_command_ack_message(
                m.command, result, 0, 0, m.get_srcSystem(), m.get_srcComponent()
            ),
            link,
        )

    def _command(self, number: int, p: tuple[float, ...], link: int) -> int:
        a = self._autopilot
        if number == mavlink.MAV_CMD_SET_MESSAGE_INTERVAL:
            return ACCEPTED if self._streams[link].ask(a, round(p[0]), p[1]) else DENIED
        if number == mavlink.MAV_CMD_REQUEST_MESSAGE:
            return self._send_once(round(p[0]), link)
        if number == mavlink.MAV_CMD_GET_MESSAGE_INTERVAL:
            interval = self._streams[link].interval_us(round(p[0]))
            a.say(mavlink.MAVLink_message_interval_message(round(p[0]), interval), link)
            return ACCEPTED
        if number == mavlink.MAV_CMD_DO_SET_MODE:
            return ACCEPTED if a.set_mode(round(p[1])) else FAILED
        if number == mavlink.MAV_CMD_COMPONENT_ARM_DISARM:
            return self._arm(p)
        if number == mavlink.MAV_CMD_NAV_TAKEOFF:
            return self._take_off(p[6])
        if number == mavlink.MAV_CMD_NAV_LAND:
            return ACCEPTED if not a.plane and a.set_mode(9) else FAILED
        if number == mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH:
            return ACCEPTED if a.set_mode(11 if a.plane else 6) else FAILED
        if number == mavlink.MAV_CMD_MISSION_START:
            return ACCEPTED if a.set_mode(10 if a.plane else 3) else FAILED
        if number == mavlink.MAV_CMD_DO_CHANGE_SPEED and p[1] > 0.0:
            a.pilot.speed_m_s = p[1]
            return ACCEPTED
        if number == mavlink.MAV_CMD_SET_EKF_SOURCE_SET:
            if round(p[0]) not in (1, 2, 3):
                return DENIED
            a.aiding.choose_source_set(round(p[0]))
            return ACCEPTED
        if number == mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN:
            return self._boot_anew(p)
        if number == mavlink.MAV_CMD_EXTERNAL_POSITION_ESTIMATE:
            return UNSUPPORTED  # COMMAND_INT only
        return UNSUPPORTED

    def _send_once(self, number: int, link: int) -> int:
        """Acknowledged first, sent then, if there is anything to send."""
        if number not in REPORTS:
            return FAILED
        self._wanted_once.append((link, number))
        return ACCEPTED

    def _arm(self, p: tuple[float, ...]) -> int:
        a = self._autopilot
        force = round(p[1]) == FORCE_ARM
        if round(p[0]) == 0:
            if a.armed and not a.body.on_ground and not force:
                return FAILED
            if a.armed:
                a.disarm()
            return ACCEPTED
        if a.armed:
            return ACCEPTED
        for problem in () if force else a.unready():
            a.tell(f"Arm: {problem}", mavlink.MAV_SEVERITY_CRITICAL)
        if not force and a.unready():
            return FAILED
        a.arm()
        return ACCEPTED

    def _take_off(self, height_m: float) -> int:
        a = self._autopilot
        if not a.armed or a.modes[a.mode][1] is not Flying.GUIDED or height_m <= 0.0:
            return FAILED
        a.pilot.take_off_m = height_m
        return ACCEPTED

    def _boot_anew(self, p: tuple[float, ...]) -> int:
        a = self._autopilot
        if round(p[0]) not in (1, 3):
            return UNSUPPORTED
        if a.armed and round(p[5]) != FORCE_REBOOT:
            return FAILED
        self._reboot()
        return ACCEPTED

    def _fly_to(self, target: tuple[float, float, float]) -> int:
        a = self._autopilot
        if a.modes[a.mode][1] is not Flying.GUIDED:
            return DENIED
        a.pilot.fly_to(target)
        return ACCEPTED

    def _external_position(self, m: Any) -> int:
        """#43003, facts section 4. The send time wraps; it is taken as it is sent here."""
        a = self._autopilot
        if m.frame not in (mavlink.MAV_FRAME_GLOBAL, mavlink.MAV_FRAME_GLOBAL_INT):
            return DENIED
        if not math.isnan(m.z):
            return DENIED
        place = a.plan.place_of(m.frame, m.x, m.y, 0.0)
        sigma_m = 0.0 if math.isnan(m.param3) else m.param3
        taken = a.aiding.hear_external_position(a.now_ns, place[:2], m.param2, sigma_m)
        return ACCEPTED if taken else FAILED

    def _gps_input(self, m: Any, link: int) -> None:
        a = self._autopilot
        if a.parameters.acting("GPS2_TYPE") == MAVLINK_TYPE:
            a.receivers[1].hear(m, a.now_ns, a.home, a.parameters["GPS2_DELAY_MS"])

    def _vision_position(self, m: Any, link: int) -> None:
        self._vision((m.x, m.y), m.covariance, m.reset_counter, None)

    def _odometry(self, m: Any, link: int) -> None:
        a = self._autopilot
        if (m.frame_id, m.child_frame_id) != ODOMETRY_FRAMES:
            return
        if m.quality < a.parameters["VISO_QUAL_MIN"]:
            return
        b = a.body
        ned = rotation_matrix(b.roll, b.pitch, b.yaw) @ [m.vx, m.vy, m.vz]
        self._vision((m.x, m.y), m.pose_covariance, m.reset_counter, (float(ned[0]), float(ned[1])))

    def _vision(
        self,
        position: tuple[float, float],
        covariance: list[float],
        reset_counter: int,
        velocity: tuple[float, float] | None,
    ) -> None:
        """The covariance is read as the facts found (3.1): the cube root of the sum of the
        squares of three of its entries."""
        a = self._autopilot
        if a.parameters.acting("VISO_TYPE") == 0:
            return
        squares = sum(covariance[k] ** 2 for k in POSE_DIAGONAL)
        sigma_m = a.parameters["VISO_POS_M_NSE"]
        if math.isfinite(squares):
            sigma_m = max(squares ** (1 / 3), sigma_m)
        delay_ns = round(a.parameters["VISO_DELAY_MS"] * 1e6)
        if velocity is not None and not all(map(math.isfinite, velocity)):
            velocity = None
        reading = VisionReading(
            a.now_ns - delay_ns,
            position,
            max(sigma_m, MIN_VISION_SIGMA_M),
            reset_counter,
            velocity,
            a.parameters["VISO_VEL_M_NSE"],
        )
        a.hear_vision(reading)

    def _parameter_list(self, m: Any, link: int) -> None:
        for index, name in enumerate(self._autopilot.parameters):
            self._tell_parameter(name, link, index)

    def _parameter_read(self, m: Any, link: int) -> None:
        names, name, index = list(self._autopilot.parameters), m.param_id, BY_NAME
        if 0 <= m.param_index < len(names):
            name, index = names[m.param_index], m.param_index
        if len(self._parameter_reads) < PARAMETER_QUEUE:
            self._parameter_reads.append((link, name, index))

    def _parameter_set(self, m: Any, link: int) -> None:
        parameters = self._autopilot.parameters
        if m.param_id not in parameters:
            self._parameter_error(m.param_id, link, NO_SUCH_PARAMETER)
        elif not math.isfinite(m.param_value):
            self._parameter_error(m.param_id, link, BAD_VALUE)
        else:
            parameters.set(m.param_id, m.param_value)
            self._tell_parameter(m.param_id, None, BY_NAME)  # everybody, whoever set it

    def _tell_parameter(self, name: str, link: int | None, index: int) -> None:
        parameters = self._autopilot.parameters
        if name not in parameters:
            self._parameter_error(name, link, NO_SUCH_PARAMETER)
            return
        self._autopilot.say(
            mavlink.MAVLink_param_value_message(
                name.encode(), parameters[name], parameters.storage_type(name), len(parameters),
                index,
            ),
            link,
        )  # fmt: skip

    def _parameter_error(self, name: str, link: int | None, error: int) -> None:
        told = name.encode()[:16]
        self._autopilot.say(mavlink.MAVLink_param_error_message(0, 0, told, -1, error), link)

    def _data_stream(self, m: Any, link: int) -> None:
        hz = m.req_message_rate if m.start_stop else 0
        self._streams[link].ask_stream(self._autopilot, m.req_stream_id, hz)

    def _set_origin(self, m: Any, link: int) -> None:
        self._autopilot.set_origin()

    def _set_mode(self, m: Any, link: int) -> None:
        self._autopilot.set_mode(m.custom_mode)

    def _target(self, m: Any, link: int) -> None:
        a = self._autopilot
        if a.modes[a.mode][1] is not Flying.GUIDED:
            return
        if m.type_mask & IGNORES_POSITION == 0:
            frame = m.coordinate_frame
            a.pilot.fly_to(a.plan.place_of(frame, m.lat_int, m.lon_int, m.alt))
        elif m.type_mask & IGNORES_VELOCITY == 0:
            a.pilot.fly_at(a.now_ns, m.vx, m.vy, -m.vz)

    def _timesync(self, m: Any, link: int) -> None:
        """A request has tc1 0; it is answered with the simulated time since boot (section 5)."""
        if m.tc1 == 0:
            a = self._autopilot
            a.say(mavlink.MAVLink_timesync_message(a.now_ns, m.ts1), link)
