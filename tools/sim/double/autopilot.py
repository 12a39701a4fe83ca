"""The autopilot behind the wire: clock, vehicle, receivers, EKF, modes, one step after another.

No input or output: `inbox` hears messages for it, `Double` carries what it says. The clock is
simulated, starts at 0 with every boot, and moves in steps of STEP_NS only when told to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.geodesy import offset_latlon
from tools.sim.double.aiding import UNINITIALISED, Aiding, VisionReading
from tools.sim.double.ekf import Ekf
from tools.sim.double.ekf_check import LAND_ACTION, EkfCheck
from tools.sim.double.flight_modes import COPTER, COPTER_LAND, NEEDS_POSITION, PLANE, Flying
from tools.sim.double.gps_choice import GpsChoice
from tools.sim.double.mission_plan import MissionPlan
from tools.sim.double.parameters import Parameters
from tools.sim.double.pilot import Pilot
from tools.sim.double.receivers import FIX_3D, MavlinkReceiver, Receiver, SimulatedReceiver
from tools.sim.double.reports import heartbeat
from tools.sim.vehicles import AIR_SPEED_M_S, Body, Copter, Demand, Plane, Vehicle, Wind

STEP_NS = 10_000_000
DT = STEP_NS * 1e-9
EKF_STARTS_NS = 12_000_000_000  # after boot; its origin is set some 10 s of GNSS checks later
GPS_CHECKS_NS = 10_000_000_000
HEARTBEAT_NS = 1_000_000_000
OWN_TIMESYNC_NS = 10_000_000_000
VISION_FRESH_NS = 300_000_000  # older, and vision is not healthy
DISARM_LANDED_NS, DISARM_IDLE_NS = 1_000_000_000, 10_000_000_000
# What the first position must be worth (EK3_GPS_CHECK, facts 1.2).
MIN_SATELLITES, MAX_HDOP = 6, 2.5
MAX_SPEED_ACCURACY_M_S, MAX_ACCURACY_M, MAX_HEIGHT_ACCURACY_M = 1.0, 5.0, 7.5


@dataclass(frozen=True)
class Home:
    """Where it is switched on."""

    lat_deg: float = 47.2
    lon_deg: float = 8.5
    amsl_m: float = 420.0
    yaw_deg: float = 0.0


class Autopilot:
    """say: called with (message, link number or None for all)."""

    def __init__(
        self,
        plane: bool,
        home: Home,
        parameters: Parameters,
        seed: int,
        say: Callable[[Any, int | None], None],
    ) -> None:
        self.plane, self.place, self.parameters, self.seed, self.say = (
            plane, home, parameters, seed, say,
        )  # fmt: skip
        self.home = (home.lat_deg, home.lon_deg, home.amsl_m)
        self.boots = 0
        self.plan = MissionPlan(self.home)
        self.boot()

    def boot(self) -> None:
        """From the start: standing at home, clock at 0. Parameters and mission are kept."""
        self.boots += 1
        self.parameters.boot()
        self.now_ns = 0
        body = Body(yaw=self.place.yaw_deg * 0.017453292519943295)
        self.vehicle: Vehicle = Plane(body) if self.plane else Copter(body)
        self.wind = Wind(self.seed)
        self.receivers: tuple[SimulatedReceiver, MavlinkReceiver] = (
            SimulatedReceiver(self.seed * 1000 + self.boots, self.home[:2]),
            MavlinkReceiver(),
        )
        self.choice = GpsChoice()
        self.ekf = Ekf(self.seed)
        self.aiding = Aiding(self.ekf, self.parameters, self.plane)
        self.check = EkfCheck()
        self.mode, self.armed = 0, False
        self.pilot = Pilot(self.plane, self.plan)
        if self.plane:
            self.pilot.speed_m_s, self.pilot.return_height_m = AIR_SPEED_M_S, 100.0
            self.pilot.arrival_m = 40.0
        self._gps_good_since_ns: int | None = None
        self.vision_ns = -VISION_FRESH_NS * 10
        self._beat_ns, self._timesync_ns = 0, OWN_TIMESYNC_NS
        self._on_ground_since_ns = 0

    @property
    def body(self) -> Body:
        """The truth."""
        return self.vehicle.body

    @property
    def time_ms(self) -> int:
        return self.now_ns // 1_000_000

    @property
    def failsafe(self) -> bool:
        return self.check.failsafe

    @property
    def flags(self) -> int:
        """EKF_STATUS_FLAGS."""
        if self.now_ns < EKF_STARTS_NS:
            return UNINITIALISED
        return self.aiding.flags(self.now_ns)

    @property
    def believed_up_m(self) -> float:
        """The barometer's, without fault."""
        return self.body.up_m

    @property
    def vision_healthy(self) -> bool:
        return self.now_ns - self.vision_ns < VISION_FRESH_NS

    @property
    def modes(self) -> dict[int, tuple[str, Flying]]:
        return PLANE if self.plane else COPTER

    @property
    def navigates(self) -> bool:
        return self.modes[self.mode][1] in NEEDS_POSITION

    @property
    def has_position(self) -> bool:
        return self.aiding.has_origin and not self.aiding.lost(self.now_ns)

    def latlon(self, at: tuple[float, float]) -> tuple[float, float]:
        """Of (north, east) metres from home."""
        return offset_latlon(self.home[0], self.home[1], at[1], at[0])

    def believed_latlon(self) -> tuple[float, float]:
        return self.latlon(self.ekf.position)

    def tell(self, text: str, severity: int = mavlink.MAV_SEVERITY_INFO) -> None:
        """STATUSTEXT to everybody."""
        self.say(mavlink.MAVLink_statustext_message(severity, text.encode()[:50]), None)

    def used_receivers(self) -> list[tuple[int, Receiver]]:
        """With their numbers, counted from 0."""
        types = (self.parameters["GPS1_TYPE"], self.parameters.acting("GPS2_TYPE"))
        return [(n, r) for n, r in enumerate(self.receivers) if types[n] != 0]

    def hear_vision(self, reading: VisionReading) -> None:
        self.vision_ns = self.now_ns
        self.aiding.hear_vision(self.now_ns, reading)

    def set_origin(self) -> bool:
        """SET_GPS_GLOBAL_ORIGIN: before the EKF runs it is lost without notice (facts, 3.1)."""
        if self.now_ns < EKF_STARTS_NS or self.aiding.has_origin:
            return False
        self.aiding.has_origin = True
        return True

    def set_mode(self, number: int) -> bool:
        """False when there is no such mode, or it needs a position and there is none."""
        if number not in self.modes:
            self.tell(f"No such mode {number}", mavlink.MAV_SEVERITY_WARNING)
            return False
        name, flying = self.modes[number]
        if flying in NEEDS_POSITION and not self.plane and self.armed and not self.has_position:
            self.tell(f"Mode change to {name} failed: requires position")
            return False
        if number != self.mode:
            self.mode = number
            self.pilot.enter(flying, self._believed())
        return True

    def unready(self) -> list[str]:
        """What speaks against arming, as ArduPilot says it."""
        found = []
        for number, receiver in self.used_receivers():
            if receiver.fix_type < FIX_3D:
                fresh = receiver.reading is not None
                found.append(f"GPS {number + 1}: {'Bad fix' if fresh else 'not healthy'}")
            elif not receiver.healthy:
                found.append(f"GPS {number + 1}: not healthy")
        if not self.aiding.has_origin:
            found.append("AHRS: waiting for home")
        if self.parameters.acting("VISO_TYPE") != 0 and not self.vision_healthy:
            found.append("VisOdom: not healthy")
        if self.navigates and not self.has_position:
            found.append("Need Position Estimate")
        return found

    def arm(self) -> None:
        self.armed = True
        self._on_ground_since_ns = self.now_ns
        self.tell("Arming motors" if not self.plane else "Throttle armed")
        self.pilot.enter(self.modes[self.mode][1], self._believed())

    def disarm(self) -> None:
        self.armed = False
        self.tell("Disarming motors" if not self.plane else "Throttle disarmed")

    def step(self) -> None:
        """On by STEP_NS."""
        self.now_ns += STEP_NS
        now_ns, body, parameters = self.now_ns, self.body, self.parameters
        self._move(now_ns)
        self.receivers[0].step(now_ns, body, parameters)
        self.receivers[1].step(now_ns)
        if now_ns >= EKF_STARTS_NS:
            self._estimate(now_ns)
        self.check.step(now_ns, self.aiding, parameters, self.armed and not self.plane)
        for severity, text in self.aiding.texts:
            self.tell(text, severity)
        for text in self.check.texts:
            self.tell(text, mavlink.MAV_SEVERITY_CRITICAL)
            if text.startswith("EKF Failsafe: changed"):
                self._land_failsafe()
        self.aiding.texts, self.check.texts = [], []
        if now_ns >= self._beat_ns:
            self._beat_ns += HEARTBEAT_NS
            self.say(heartbeat(self), None)
        if now_ns >= self._timesync_ns:
            self._timesync_ns += OWN_TIMESYNC_NS
            self.say(mavlink.MAVLink_timesync_message(0, now_ns + 1), None)

    def _move(self, now_ns: int) -> None:
        body, parameters = self.body, self.parameters
        wind = self.wind
        wind.speed_m_s, wind.from_deg = parameters["SIM_WIND_SPD"], parameters["SIM_WIND_DIR"]
        wind.gust_m_s = parameters["SIM_WIND_TURB"]
        air = wind.step(DT)
        demand = Demand(None, 0.0)
        if self.armed:
            demand = self.pilot.demand(now_ns, self._believed(), body.on_ground)
            if not self.has_position and not self.plane:
                demand = Demand(None, demand.climb_m_s)
        if self.pilot.reached is not None:
            self.say(mavlink.MAVLink_mission_item_reached_message(self.pilot.reached), None)
            self.tell(f"Reached command #{self.pilot.reached}")
        self.vehicle.step(DT, demand, self.ekf.velocity, air)
        self._disarm_when_landed(now_ns, demand)

    def _disarm_when_landed(self, now_ns: int, demand: Demand) -> None:
        if not self.body.on_ground or demand.climb_m_s > 0.0:
            self._on_ground_since_ns = now_ns
        elif self.armed:
            landing = demand.climb_m_s < 0.0
            after = DISARM_LANDED_NS if landing else DISARM_IDLE_NS
            if now_ns - self._on_ground_since_ns > after:
                self.disarm()

    def _estimate(self, now_ns: int) -> None:
        aiding, body = self.aiding, self.body
        if aiding.aiding:
            self.ekf.predict(now_ns, DT, body.acceleration_m_s2)
        else:
            self.ekf.hold(now_ns)
        self.choice.step(now_ns, self.receivers, self.parameters)
        number = self.choice.primary
        receiver = self.receivers[number]
        if not aiding.has_origin and aiding.source("POSXY") == 3:
            self._check_gps(now_ns, receiver)
        if any(number == n for n, _ in self.used_receivers()):
            aiding.hear_gps(now_ns, number, receiver)
        if self.plane:
            aiding.hear_air(now_ns, (body.north_m_s, body.east_m_s))
        aiding.step(now_ns)

    def _check_gps(self, now_ns: int, receiver: Receiver) -> None:
        """The origin is set when the receiver was good for 10 s."""
        if not self._good_enough(receiver):
            self._gps_good_since_ns = None
        elif self._gps_good_since_ns is None:
            self._gps_good_since_ns = now_ns
        elif now_ns - self._gps_good_since_ns > GPS_CHECKS_NS:
            self.aiding.has_origin = True
            self.tell("EKF3 IMU0 origin set")

    def _good_enough(self, receiver: Receiver) -> bool:
        read, bits = receiver.reading, round(self.parameters["EK3_GPS_CHECK"])
        if read is None or read.fix_type < FIX_3D:
            return False
        speed = max(read.speed_accuracy_m_s or 0.0, self.parameters["EK3_VELNE_M_NSE"])
        position, height = read.accuracy_m, read.height_accuracy_m
        return not (
            (bits & 1 and read.satellites < MIN_SATELLITES)
            or (bits & 2 and (read.hdop is None or read.hdop > MAX_HDOP))
            or (bits & 4 and speed > MAX_SPEED_ACCURACY_M_S)
            or (bits & 8 and position is not None and position > MAX_ACCURACY_M)
            or (bits & 8 and height is not None and height > MAX_HEIGHT_ACCURACY_M)
        )

    def _land_failsafe(self) -> None:
        if self.parameters["FS_EKF_ACTION"] in LAND_ACTION and self.navigates:
            self.set_mode(COPTER_LAND)

    def _believed(self) -> tuple[float, float, float]:
        return (*self.ekf.position, self.believed_up_m)
