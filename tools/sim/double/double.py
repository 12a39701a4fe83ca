"""The autopilot double with its sockets and its clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from onboard.errors import InputError
from tools.sim.double.autopilot import STEP_NS, Autopilot, Home
from tools.sim.double.inbox import Inbox
from tools.sim.double.parameters import Parameters
from tools.sim.double.reports import REPORTS
from tools.sim.double.streams import Streams
from tools.sim.double.wires import TcpWire, UdpWire, Wire
from tools.sim.vehicles import Body

PORT_OFFSETS = (0, 2, 3)  # SERIAL0, 1, 2 of ArduPilot's SITL: 5760, 5762, 5763
IDLE_S = 0.001
STEPS_AT_ONCE = 20  # between two looks at the wall clock
FALLEN_BEHIND_S = 0.2  # then the lost time is not made up for: it runs as fast as it can


class Double:
    """Listens as soon as it is made. Its clock moves by `advance`, or by itself between `start`
    and `stop`, at SIM_SPEEDUP times the wall clock; `hold` and `release` stop it meanwhile.

    Raises InputError when a port is taken, KeyError for a parameter that it does not have.
    """

    def __init__(
        self,
        plane: bool = False,
        home: Home | None = None,
        parameters: Mapping[str, float] | None = None,
        seed: int = 1,
        port: int = 0,
        udp: tuple[tuple[str, int], ...] = (),
    ) -> None:
        """port: of SERIAL0, with SERIAL1 and 2 at +2 and +3; 0 takes free ones. udp: (host,
        port) of further links that it speaks to by itself."""
        values = Parameters(plane, dict(parameters or {}))
        system_id = round(values.acting("MAV_SYSID"))
        self._wires: list[Wire] = []
        try:
            for offset in PORT_OFFSETS:
                self._wires.append(TcpWire(port + offset if port else 0, system_id))
            self._wires += [UdpWire(*to, system_id) for to in udp]
        except OSError as e:
            self.close()
            raise InputError(
                f"tcp:127.0.0.1:{port}: cannot listen there ({e.strerror}); give another port"
            ) from e
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._streams = [Streams() for _ in self._wires]
        self._reboot_asked = False
        self.autopilot = Autopilot(plane, home or Home(), values, seed, self._say)
        self._inbox = self._new_inbox()

    def __enter__(self) -> Double:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Of SERIAL0, SERIAL1, SERIAL2 and the UDP links, as the other side names them."""
        return tuple(wire.address for wire in self._wires)

    @property
    def now_ns(self) -> int:
        """The simulated clock, since the last boot."""
        return self.autopilot.now_ns

    @property
    def body(self) -> Body:
        """Where the vehicle truly is."""
        return self.autopilot.body

    @property
    def dropped(self) -> int:
        """Messages that a client was too slow for."""
        return sum(wire.dropped for wire in self._wires)

    def advance(self, seconds: float) -> None:
        """So far on the simulated clock, hearing and answering at every step."""
        for _ in range(max(round(seconds * 1e9 / STEP_NS), 0)):
            with self._lock:
                self._step()

    def answer(self) -> None:
        """What has arrived, without the clock moving."""
        with self._lock:
            self._hear()
            self._flush()

    def start(self) -> None:
        """Runs by itself from now on, in a thread of its own."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="autopilot double", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._stopping.set()
            self._thread.join()
            self._thread = None

    def hold(self) -> None:
        """Nothing moves until `release`: see `tools.sim.lockstep.Lockstep`."""
        self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def close(self) -> None:
        if getattr(self, "_thread", None) is not None:
            self.stop()
        for wire in self._wires:
            wire.close()

    def set_up_signing(self, key: bytes, timestamp: int) -> None:
        """As SETUP_SIGNING (#256) does: SERIAL0 goes on taking unsigned messages, the others
        do not. An empty key switches it off."""
        for number, wire in enumerate(self._wires):
            wire.sign(key, timestamp, number == 0)

    def _run(self) -> None:
        wall, simulated = time.monotonic(), 0.0
        while not self._stopping.is_set():
            speedup = max(self.autopilot.parameters["SIM_SPEEDUP"], 0.01)
            ahead_s = simulated - (time.monotonic() - wall) * speedup
            if ahead_s > 0.0:
                with self._lock:
                    self._hear()
                    self._flush()
                time.sleep(min(max(ahead_s / speedup, 0.0002), IDLE_S))
                continue
            if ahead_s < -FALLEN_BEHIND_S * speedup:
                wall, simulated = time.monotonic(), 0.0
            for _ in range(STEPS_AT_ONCE):
                with self._lock:
                    self._step()
                simulated += STEP_NS * 1e-9
                if simulated > (time.monotonic() - wall) * speedup:
                    break

    def _step(self) -> None:
        self._hear()
        self._inbox.step()
        self.autopilot.step()
        now_ns = self.autopilot.now_ns
        for number, streams in enumerate(self._streams):
            for message in streams.due(now_ns):
                report = REPORTS[message](self.autopilot)
                if report is not None:
                    self._wires[number].write(report)
        self._flush()
        if self._reboot_asked:
            self._boot()

    def _hear(self) -> None:
        own = round(self.autopilot.parameters.acting("MAV_SYSID"))
        for number, wire in enumerate(self._wires):
            for message in wire.read():
                target = getattr(message, "target_system", 0)
                if message.get_type() == "SETUP_SIGNING" and target in (0, own):
                    self._take_signing(message)
                    continue
                if target in (0, own):
                    self._inbox.hear(message, number)
                if target != own:
                    self._pass_on(message, number)

    def _pass_on(self, message: Any, heard_on: int) -> None:
        """As a MAVLink router: what is for all, or for another, goes out on every other link."""
        data = bytes(message.get_msgbuf())
        for number, wire in enumerate(self._wires):
            if number != heard_on:
                wire.forward(data)

    def _take_signing(self, message: Any) -> None:
        key = bytes(message.secret_key)
        self.set_up_signing(key if any(key) else b"", message.initial_timestamp)

    def _flush(self) -> None:
        for wire in self._wires:
            wire.flush()

    def _say(self, message: Any, link: int | None) -> None:
        for number, wire in enumerate(self._wires):
            if link is None or link == number:
                wire.write(message)

    def _ask_reboot(self) -> None:
        self._reboot_asked = True

    def _boot(self) -> None:
        self._reboot_asked = False
        for number, wire in enumerate(self._wires):
            wire.hang_up()
            self._streams[number] = Streams()
        self.autopilot.boot()
        self._inbox = self._new_inbox()

    def _new_inbox(self) -> Inbox:
        return Inbox(self.autopilot, self._streams, self._ask_reboot)
