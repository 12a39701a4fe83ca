"""Which of the two receivers the autopilot navigates by, as AP_GPS chooses."""

from __future__ import annotations

from collections.abc import Sequence

from tools.sim.double.parameters import Parameters
from tools.sim.double.receivers import FIX_3D, Receiver

KEEP_PRIMARY, PRIMARY_IF_3D = 0, 4  # GPS_AUTO_SWITCH; 1 and 2 take the better one
MANY_MORE, MANY_MORE_AFTER_NS = 2, 5_000_000_000  # satellites more, since the last switch
MORE, MORE_AFTER_NS = 1, 20_000_000_000


class GpsChoice:
    """primary: 0 or 1."""

    def __init__(self) -> None:
        self.primary = 0
        self._switched_ns = 0

    def step(self, now_ns: int, receivers: Sequence[Receiver], parameters: Parameters) -> None:
        """Higher fix type wins at once; an equal one with more satellites after a while."""
        rule, wanted = round(parameters["GPS_AUTO_SWITCH"]), round(parameters["GPS_PRIMARY"])
        types = (parameters["GPS1_TYPE"], parameters.acting("GPS2_TYPE"))
        used = [number for number in (0, 1) if types[number] != 0]
        wanted = wanted if wanted in used else (used or [0])[0]
        if len(used) < 2 or rule == KEEP_PRIMARY:
            self._switch(wanted, now_ns)
            return
        if rule == PRIMARY_IF_3D and receivers[wanted].fix_type >= FIX_3D:
            self._switch(wanted, now_ns)
            return
        mine, other = receivers[self.primary], receivers[1 - self.primary]
        more = _satellites(other) - _satellites(mine)
        since_ns = now_ns - self._switched_ns
        if other.fix_type > mine.fix_type or (
            other.fix_type == mine.fix_type
            and (
                (more >= MANY_MORE and since_ns > MANY_MORE_AFTER_NS)
                or (more >= MORE and since_ns > MORE_AFTER_NS)
            )
        ):
            self._switch(1 - self.primary, now_ns)

    def _switch(self, to: int, now_ns: int) -> None:
        if to != self.primary:
            self.primary, self._switched_ns = to, now_ns


def _satellites(receiver: Receiver) -> int:
    return 0 if receiver.reading is None else receiver.reading.satellites
