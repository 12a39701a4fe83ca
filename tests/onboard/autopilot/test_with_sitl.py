"""The session with a real ArduPilot: PILOTAGE_SITL names its arducopter."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymavlink.dialects.v20 import all as mavlink

from onboard.autopilot.link import MavlinkLink
from onboard.autopilot.parameters import ParameterClient, ParameterState
from onboard.autopilot.session import AutopilotSession
from onboard.autopilot.streams import COPTER_STREAMS
from onboard.flight_settings import LinkSettings
from onboard.telemetry_messages import Attitude

BINARY = os.environ.get("PILOTAGE_SITL", "")
INSTANCE = 11  # moves its ports by 10 each
SERIAL0, SERIAL1 = 5760 + 10 * INSTANCE, 5762 + 10 * INSTANCE
KEY = bytes(range(1, 33))

pytestmark = pytest.mark.skipif(
    not BINARY, reason="set PILOTAGE_SITL to the arducopter of a built ArduPilot SITL"
)


@pytest.fixture
def sitl(tmp_path: Path) -> Iterator[None]:
    command = [BINARY, "--model", "quad", "--speedup", "1", "-I", str(INSTANCE)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--home", "47.2,8.5,420,0", "--wipe"],
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        yield
        process.kill()
        process.wait()


class Flight:
    """A session, its parameters, and the ages of the attitudes that came."""

    def __init__(self, port: int, key_file: Path | None = None) -> None:
        self.link = MavlinkLink(LinkSettings(f"tcp:127.0.0.1:{port}", signing_key_file=key_file))
        self.session = AutopilotSession(self.link)
        self.parameters = ParameterClient(self.link)
        self.ages_ms: list[float] = []

    def until(self, happened: Callable[[], bool], timeout_s: float = 60.0) -> float | None:
        """Seconds until it happened; None: it didn't."""
        begin = time.monotonic()
        while (seconds := time.monotonic() - begin) < timeout_s:
            for event in self.session.poll(0.02):
                self.parameters.hear(event)
                if isinstance(event, Attitude):
                    self.ages_ms.append((time.monotonic_ns() - event.time_ns) * 1e-6)
            self.parameters.act(time.monotonic_ns())
            if happened():
                return seconds
        return None

    def streams(self) -> bool:
        rates_hz = self.session.status.rates_hz
        always = ("ATTITUDE", "GLOBAL_POSITION_INT", "GPS_RAW_INT", "SYS_STATUS", "VFR_HUD")
        wanted_hz = {s.message: s.hz for s in COPTER_STREAMS if s.message in always}
        return all(rates_hz.get(name, 0.0) > 0.9 * hz for name, hz in wanted_hz.items())

    def reads(self, name: str, timeout_s: float = 4.0) -> bool:
        self.parameters.request(name)
        self.until(lambda: self.parameters.is_idle, timeout_s)
        outcome = self.parameters.outcome(name)
        return outcome is not None and outcome.state is ParameterState.READ


def test_streams_clock_parameters_and_a_reboot(sitl: None) -> None:
    flight = Flight(SERIAL0)
    status = lambda: flight.session.status  # noqa: E731
    assert flight.until(lambda: status().is_synced)
    assert flight.until(flight.streams), status()
    flight.ages_ms.clear()
    flight.until(lambda: False, 3.0)
    assert status().clock_uncertainty_ms < 10.0
    ages_ms = sorted(flight.ages_ms)
    assert len(ages_ms) > 100
    assert 0.0 <= ages_ms[len(ages_ms) // 2] < 10.0

    assert flight.reads("GPS_PRIMARY")
    for value in (1.0, 0.0):
        flight.parameters.write("GPS_PRIMARY", value)
        seconds = flight.until(lambda: flight.parameters.is_idle)
        outcome = flight.parameters.outcome("GPS_PRIMARY")
        assert outcome is not None
        assert (outcome.state, outcome.value) == (ParameterState.WRITTEN, value)
        assert seconds is not None and seconds < 1.0

    reboot = [mavlink.MAV_CMD_PREFLIGHT_REBOOT_SHUTDOWN, 0, 1.0, 0, 0, 0, 0, 0, 0]
    flight.link.send(mavlink.MAVLink_command_long_message(0, 1, *reboot))
    assert flight.until(lambda: status().clock_restarts == 1), status()
    assert flight.until(lambda: status().is_synced and flight.streams()), status()
    flight.ages_ms.clear()
    flight.until(lambda: False, 2.0)
    assert sorted(flight.ages_ms)[len(flight.ages_ms) // 2] < 10.0
    assert status().counts.unsendable == 0
    flight.link.close()


def test_signing(sitl: None, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_bytes(KEY)
    key_file.chmod(0o600)
    opening = Flight(SERIAL0)
    assert opening.until(lambda: opening.session.status.vehicle is not None)
    stamp = 1
    opening.link.send(mavlink.MAVLink_setup_signing_message(0, 1, KEY, stamp))
    opening.until(lambda: False, 2.0)

    signing = Flight(SERIAL1, key_file)
    signing.link._mavlink._wall_s = lambda: 0.0  # no real-time clock
    assert signing.until(lambda: signing.session.status.is_synced)
    assert signing.reads("GPS_PRIMARY")
    counts = signing.link.counts
    assert counts.received > 0
    signing.link.close()

    unsigned = Flight(SERIAL1)
    assert unsigned.until(lambda: unsigned.session.status.vehicle is not None)  # hears, unchecked
    assert not unsigned.reads("GPS_PRIMARY")
    unsigned.link.close()

    key_file.chmod(0o600)
    key_file.write_bytes(bytes(32 * [9]))
    wrong = Flight(SERIAL1, key_file)
    assert wrong.until(lambda: wrong.session.status.vehicle is not None, 4.0) is None
    assert wrong.link.counts.refused > 0
    wrong.link.close()
    opening.link.close()
