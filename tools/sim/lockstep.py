"""Holds the simulated autopilot still while a picture is rendered and looked at.

Without it the simulation flies on meanwhile, at its speed-up: a second of work at five
times speed is five seconds of flight. ArduPilot's SITL has no lockstep of its own; stopped
by a signal its clock stands still, and it goes on without catching up.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tools.sim.double import Double

STEP_S = 0.02  # the double's attitude comes this often


class Lockstep(Protocol):
    """A simulation's clock."""

    def advance(self) -> None:
        """Moves it a little where it does not move by itself."""

    def hold(self) -> None: ...

    def release(self) -> None: ...


class Running:
    """Nothing is held: the simulation is elsewhere, or in step by itself."""

    def advance(self) -> None:
        pass

    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass


class InStep:
    """Our own double, which moves only when it is told to."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def advance(self) -> None:
        self._double.advance(STEP_S)

    def hold(self) -> None:
        pass

    def release(self) -> None:
        pass


class StoppedProcess:
    """A process on this machine, by its number."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def advance(self) -> None:
        pass

    def hold(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def release(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


@contextmanager
def held(lockstep: Lockstep) -> Iterator[None]:
    """Released again whatever happens inside."""
    lockstep.hold()
    try:
        yield
    finally:
        lockstep.release()
