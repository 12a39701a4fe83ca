"""ArduCopter's watch over its EKF, ten times a second: glitch texts, landing when it is lost."""

from __future__ import annotations

import math

from tools.sim.double.aiding import Aiding
from tools.sim.double.parameters import Parameters

PERIOD_NS = 100_000_000
FAILURES = 10  # in a row, then the failsafe
LAND_ACTION = (1, 3)  # FS_EKF_ACTION: land, land even in STABILIZE


class EkfCheck:
    """failsafe: whether it holds. texts: what is to be said."""

    def __init__(self) -> None:
        self.failsafe = False
        self.texts: list[str] = []
        self._count = 0
        self._next_ns = 0
        self._glitch = False

    def step(self, now_ns: int, aiding: Aiding, parameters: Parameters, armed: bool) -> None:
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + PERIOD_NS
        if (glitch := aiding.glitching(now_ns)) != self._glitch:
            self._glitch = glitch
            self.texts.append("GPS Glitch or Compass error" if glitch else "Glitch cleared")
        if not armed or parameters["FS_EKF_THRESH"] <= 0.0:
            self._count, self.failsafe = 0, False
            return
        if aiding.lost(now_ns) or self._over(aiding, parameters["FS_EKF_THRESH"]):
            self._count = min(self._count + 1, FAILURES)
            if self._count == FAILURES and not self.failsafe:
                self.failsafe = True
                self.texts += ["EKF variance", "EKF Failsafe: changed to LAND Mode"]
        else:
            self._count = max(self._count - 1, 0)
            if self._count == 0 and self.failsafe:
                self.failsafe = False
                self.texts.append("EKF Failsafe Cleared")

    def _over(self, aiding: Aiding, limit: float) -> bool:
        """Velocity far out, or velocity and position both out."""
        velocity, position = math.sqrt(aiding.velocity_ratio), math.sqrt(aiding.position_ratio)
        return velocity >= 2 * limit or (velocity >= limit and position >= limit)
