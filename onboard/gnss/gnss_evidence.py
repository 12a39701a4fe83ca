"""What speaks against a receiver: a state and a few words with the figure behind it."""

from __future__ import annotations

from dataclasses import dataclass

from onboard.messages import Event
from onboard.reasons import GnssState
from onboard.telemetry_messages import (
    EkfStatus,
    GnssIntegrity,
    SensorHealth,
    VehicleState,
)

HOLDS_NS = 3_000_000_000  # a status counts this long; streams come at 1 Hz and more
EKF_GLITCH = 0x8000  # EKF_STATUS_REPORT, ArduPilot
ESTIMATOR_GLITCH = 0x0400  # ESTIMATOR_STATUS, PX4 (ArduPilot's bit 0x400 says something else)
MAX_POSITION_VARIANCE = 1.0  # test ratio, 1 at the gate; a step of 5 m makes 1.35
# GNSS_INTEGRITY's scale
MITIGATED, DETECTED = 2, 3


@dataclass(frozen=True)
class Evidence:
    """What was seen, and the state it speaks for."""

    state: GnssState
    text: str


class AutopilotEvidence:
    """What the autopilot and the receivers say of GNSS besides positions. A healthy bit of
    SYS_STATUS says nothing: it stays healthy under jamming."""

    def __init__(self) -> None:
        self._ekf: EkfStatus | None = None
        self._health: SensorHealth | None = None
        self._integrity: dict[int, GnssIntegrity] = {}
        self._glitch_flag = EKF_GLITCH

    def hear(self, event: Event) -> None:
        if isinstance(event, EkfStatus):
            self._ekf = event
        elif isinstance(event, SensorHealth):
            self._health = event
        elif isinstance(event, GnssIntegrity):
            self._integrity[event.receiver] = event
        elif isinstance(event, VehicleState):
            self._glitch_flag = ESTIMATOR_GLITCH if event.autopilot == "px4" else EKF_GLITCH

    def evidence(self, receiver: int, now_ns: int, is_one_ours: bool = False) -> list[Evidence]:
        """Against one receiver; what the autopilot says counts for each. is_one_ours: Pilotage
        is one of its receivers, and what SYS_STATUS says of all of them may be meant for us."""
        found = []
        ekf, health, integrity = self._ekf, self._health, self._integrity.get(receiver)
        if ekf and now_ns - ekf.time_ns <= HOLDS_NS:
            if ekf.flags & self._glitch_flag:
                text = f"the autopilot's filter flags a glitch (0x{ekf.flags:x})"
                found.append(Evidence(GnssState.DEGRADED, text))
            if ekf.position_variance > MAX_POSITION_VARIANCE:
                text = f"the autopilot's position test ratio is {ekf.position_variance:.1f}"
                found.append(Evidence(GnssState.DEGRADED, text))
        is_fresh = health is not None and now_ns - health.time_ns <= HOLDS_NS
        if health and is_fresh and not is_one_ours and _unhealthy(health):
            text = "the autopilot calls its GNSS unhealthy"
            found.append(Evidence(GnssState.DEGRADED, text))
        if integrity and now_ns - integrity.time_ns <= HOLDS_NS:
            found += _said(integrity.jamming, GnssState.JAMMED, "jamming")
            found += _said(integrity.spoofing, GnssState.SPOOFED, "spoofing")
        return found


def _unhealthy(health: SensorHealth) -> bool:
    return health.gnss_present and health.gnss_enabled and not health.gnss_healthy


def _said(level: int, state: GnssState, name: str) -> list[Evidence]:
    if level == DETECTED:
        return [Evidence(state, f"the receiver reports {name}")]
    if level == MITIGATED:
        return [Evidence(GnssState.DEGRADED, f"the receiver reports {name}, mitigated")]
    return []
