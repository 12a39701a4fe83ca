"""What the EKF is told, and when it would rather be told nothing: source sets, gates, resets.

The rules are EKF3's as flown on ArduPilot's SITL; the numbers in the comments are sections of
`../shared/facts/autopilots.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tools.sim.double.ekf import Ekf, Vector
from tools.sim.double.parameters import Parameters
from tools.sim.double.receivers import FIX_3D, Reading, Receiver

FROM_NOTHING, FROM_GPS, FROM_EXTERNAL_NAV = 0, 3, 6  # EK3_SRCn_POSXY, _VELXY
POSITION_TIMEOUT_S = 7.2  # without velocities; "lost" from then on (1.4)
TIMEOUT_WITH_VELOCITY_S = 10.0  # then a rejected position is taken all the same (1.4)
GIVE_UP_S = 15.0  # then it stands still where it was: "stopped aiding" (1.4)
MAX_POSITION_SIGMA_M, MAX_VELOCITY_SIGMA_M_S = 100.0, 50.0
ACCURACY_DECAY_S = 5.0  # the worst accuracy of late counts
FAILED_S, PASSED_S = 1.0, 10.0  # of rejections until "GPS glitch", and back
BAD_SPEED_ACCURACY_M_S = 1.5
DEAD_RECKONING_S = 1.0  # from then on an external estimate is taken (section 4)
EXTERNAL_MAX_AGE_S = 5.0
# What a plane knows of its velocity from air speed and wind: 20 m of drift in 120 s (section 4).
AIR_VELOCITY_SIGMA_M_S, AIR_VELOCITY_BIAS_M_S = 0.5, 0.17
AIR_PERIOD_NS = 100_000_000

ATTITUDE, VELOCITY_HORIZONTAL, VELOCITY_VERTICAL = 0x1, 0x2, 0x4  # EKF_STATUS_FLAGS
POSITION_RELATIVE, POSITION_ABSOLUTE, HEIGHT = 0x8, 0x10, 0x20
CONSTANT_POSITION, PREDICTED_RELATIVE, PREDICTED_ABSOLUTE = 0x80, 0x100, 0x200
UNINITIALISED, GLITCHING = 0x400, 0x8000
WARNING, INFO = 4, 6  # MAV_SEVERITY
ALIGNED_NS = 41_000_000_000  # after boot; no position is taken before


@dataclass(frozen=True)
class VisionReading:
    """A position of ExternalNav. as_of_ns: the moment the autopilot takes it to belong to."""

    as_of_ns: int
    position: Vector
    sigma_m: float
    reset_counter: int
    velocity: Vector | None = None
    velocity_sigma_m_s: float = 0.1


class Aiding:
    """Feeds an Ekf. position_ratio, velocity_ratio: the innovation tests, 1 at the gate."""

    def __init__(self, ekf: Ekf, parameters: Parameters, plane: bool) -> None:
        self.ekf, self._parameters, self._plane = ekf, parameters, plane
        self.source_set = 1
        self.has_origin = False
        self.aiding = False  # never had a position, or given up
        self.position_ratio = self.velocity_ratio = 0.0
        self.texts: list[tuple[int, str]] = []  # MAV_SEVERITY, text
        self._position_ns = self._velocity_ns = 0  # when one was taken
        self._gps_ns = 0
        self._passed_ns, self._failed_ns = 0, -(10**12)
        self._seen: tuple[int, int] | None = None  # receiver and its reading's number
        self._reset_counter: int | None = None
        self._worst_sigma_m = self._speed_accuracy = 0.0
        self._worst_ns = self._air_ns = 0
        self._glitching = False

    def source(self, what: str) -> int:
        return round(self._parameters[f"EK3_SRC{self.source_set}_{what}"])

    def choose_source_set(self, number: int) -> None:
        """Whatever comes next is taken without a gate (3.2)."""
        if number != self.source_set:
            self.source_set = number
            self._seen = self._reset_counter = None

    def hear_gps(self, now_ns: int, number: int, receiver: Receiver) -> None:
        """The chosen receiver. Its newest reading counts once; that of another receiver than
        before is jumped onto, however old it is (0.2, 1.3)."""
        reading = receiver.reading
        if reading is None or reading.fix_type < FIX_3D or not self._ready(now_ns):
            return
        if self._seen == (number, receiver.count):
            return
        switched = self._seen is None or self._seen[0] != number
        self._seen = (number, receiver.count)
        as_of_ns = reading.time_ns - reading.delay_ns
        self._keep_accuracy(now_ns, reading)
        if self.source("POSXY") == FROM_GPS:
            sigma_m = min(
                max(self._worst_sigma_m, self._parameters["EK3_POSNE_M_NSE"]), MAX_POSITION_SIGMA_M
            )
            if self._take_position(
                now_ns, (reading.north_m, reading.east_m), as_of_ns, sigma_m, switched
            ):
                self._gps_ns = now_ns
        if self.source("VELXY") == FROM_GPS:
            noise = self._parameters["EK3_VELNE_M_NSE"]
            told = reading.speed_accuracy_m_s
            sigma = min(max(noise, told or 0.0), MAX_VELOCITY_SIGMA_M_S)
            velocity = (reading.velocity_m_s[0], reading.velocity_m_s[1])
            self._take_velocity(now_ns, velocity, as_of_ns, sigma, noise)

    def hear_vision(self, now_ns: int, reading: VisionReading) -> None:
        """ExternalNav; a changed reset counter says that the position may have jumped (3.2)."""
        if not self._ready(now_ns):
            return
        if self.source("POSXY") == FROM_EXTERNAL_NAV:
            jumped = reading.reset_counter != self._reset_counter
            self._reset_counter = reading.reset_counter
            sigma_m = min(max(reading.sigma_m, 0.01), MAX_POSITION_SIGMA_M)
            self._take_position(now_ns, reading.position, reading.as_of_ns, sigma_m, jumped)
        if self.source("VELXY") == FROM_EXTERNAL_NAV and reading.velocity is not None:
            sigma = reading.velocity_sigma_m_s
            self._take_velocity(now_ns, reading.velocity, reading.as_of_ns, sigma, sigma)

    def hear_external_position(
        self, now_ns: int, position: Vector, age_s: float, sigma_m: float
    ) -> bool:
        """MAV_CMD_EXTERNAL_POSITION_ESTIMATE: False when it is refused, else jumped onto."""
        fused_s = (now_ns - self._gps_ns) * 1e-9
        if not self.has_origin or not self.aiding or fused_s < DEAD_RECKONING_S:
            return False
        moved_s = min(max(age_s, 0.0), EXTERNAL_MAX_AGE_S)
        velocity = self.ekf.velocity
        now_at = (position[0] + velocity[0] * moved_s, position[1] + velocity[1] * moved_s)
        least = self._parameters["EK3_POSNE_M_NSE"]
        self.ekf.reset_position(now_at, now_ns, max(sigma_m, least))
        return True

    def hear_air(self, now_ns: int, velocity: Vector) -> None:
        """A plane's air speed and wind, given its true velocity; used without a position."""
        lost = (now_ns - self._position_ns) * 1e-9 > FAILED_S
        if lost and self.aiding and now_ns >= self._air_ns:
            self._air_ns = now_ns + AIR_PERIOD_NS
            biased = (velocity[0] + AIR_VELOCITY_BIAS_M_S, velocity[1])
            self.ekf.fuse_velocity(self.ekf.velocity_off(biased, now_ns), AIR_VELOCITY_SIGMA_M_S)

    def step(self, now_ns: int) -> None:
        """Timeouts. Called every step."""
        if self.aiding and not self._plane and self._idle_s(now_ns) > GIVE_UP_S:
            self.aiding = False
            self.texts.append((WARNING, "EKF3 IMU0 stopped aiding"))
        failing = (now_ns - self._passed_ns) * 1e-9 > FAILED_S
        passing = (now_ns - self._failed_ns) * 1e-9 > PASSED_S
        heard = (now_ns - self._failed_ns) * 1e-9 < FAILED_S
        inaccurate = self._speed_accuracy > BAD_SPEED_ACCURACY_M_S
        if (failing and heard) or inaccurate:
            self._glitching = True
        elif passing:
            self._glitching = False

    def lost(self, now_ns: int) -> bool:
        """No horizontal position any more."""
        return not self.aiding or self._lost_s(now_ns) > self._timeout_s(now_ns)

    def glitching(self, now_ns: int) -> bool:
        gps = FROM_GPS in (self.source("POSXY"), self.source("VELXY"))
        return self._glitching and gps and self.aiding and not self.lost(now_ns)

    def flags(self, now_ns: int) -> int:
        """EKF_STATUS_FLAGS (facts, section 2)."""
        if not self.aiding:
            held = ATTITUDE | VELOCITY_HORIZONTAL | VELOCITY_VERTICAL | HEIGHT
            return held | CONSTANT_POSITION
        if self.lost(now_ns):
            if self._plane:
                return 0x12F
            return ATTITUDE | VELOCITY_VERTICAL | HEIGHT
        flags = 0x3F | PREDICTED_RELATIVE | PREDICTED_ABSOLUTE
        return flags | GLITCHING if self.glitching(now_ns) else flags

    def _take_position(
        self, now_ns: int, position: Vector, as_of_ns: int, sigma_m: float, jump: bool
    ) -> bool:
        gate = max(self._parameters["EK3_POS_I_GATE"] * 0.01, 1.0)
        off = self.ekf.position_off(position, as_of_ns)
        self.position_ratio = self.ekf.position_ratio(off, sigma_m, gate)
        if jump or not self.aiding or self._lost_s(now_ns) > self._timeout_s(now_ns):
            if not self.aiding:
                self.aiding = True
                self.texts.append((INFO, f"EKF3 IMU0 is using {self._name()}"))
            self.ekf.reset_position(position, as_of_ns, sigma_m)
            self.position_ratio = 0.0
        elif self.position_ratio > 1.0:
            self._failed_ns = now_ns
            return False
        else:
            self.ekf.fuse_position(off, sigma_m)
        self._position_ns = now_ns
        if self.velocity_ratio <= 1.0:
            self._passed_ns = now_ns
        return True

    def _take_velocity(
        self, now_ns: int, velocity: Vector, as_of_ns: int, sigma_m_s: float, checked_m_s: float
    ) -> None:
        """checked_m_s: the gate's own noise. It does not open for a worse reported accuracy,
        which is why an ignored velocity, taken as zero, fails whatever it claims (1.5)."""
        gate = max(self._parameters["EK3_VEL_I_GATE"] * 0.01, 1.0)
        off = self.ekf.velocity_off(velocity, as_of_ns)
        self.velocity_ratio = self.ekf.velocity_ratio(off, checked_m_s, gate)
        idle_s = (now_ns - self._velocity_ns) * 1e-9
        if self._velocity_ns == 0 or idle_s > TIMEOUT_WITH_VELOCITY_S:
            self.ekf.reset_velocity(velocity, as_of_ns, sigma_m_s)
            self.velocity_ratio = 0.0
        elif self.velocity_ratio > 1.0:
            self._failed_ns = now_ns
            return
        else:
            self.ekf.fuse_velocity(off, sigma_m_s)
        self._velocity_ns = now_ns

    def _keep_accuracy(self, now_ns: int, reading: Reading) -> None:
        decay = math.exp(-(now_ns - self._worst_ns) * 1e-9 / ACCURACY_DECAY_S)
        self._worst_ns = now_ns
        self._worst_sigma_m = max(self._worst_sigma_m * decay, reading.accuracy_m or 0.0)
        told = reading.speed_accuracy_m_s or 0.0
        self._speed_accuracy = max(self._speed_accuracy * decay, told)

    def _ready(self, now_ns: int) -> bool:
        return self.has_origin and now_ns >= ALIGNED_NS

    def _lost_s(self, now_ns: int) -> float:
        return (now_ns - self._position_ns) * 1e-9

    def _idle_s(self, now_ns: int) -> float:
        return (now_ns - max(self._position_ns, self._velocity_ns)) * 1e-9

    def _timeout_s(self, now_ns: int) -> float:
        with_velocity = (now_ns - self._velocity_ns) * 1e-9 < POSITION_TIMEOUT_S
        return TIMEOUT_WITH_VELOCITY_S if with_velocity else POSITION_TIMEOUT_S

    def _name(self) -> str:
        return "external nav data" if self.source("POSXY") == FROM_EXTERNAL_NAV else "GPS"
