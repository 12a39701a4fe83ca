"""The doctor on ArduPilot's own simulation."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import cli

SITL = os.environ.get("PILOTAGE_SITL", "")
INSTANCE = 7
ADDRESS = f"tcp:127.0.0.1:{5760 + 10 * INSTANCE}"
HOME = "46.501,-92.2486,420,0"
START_S = 60.0

pytestmark = pytest.mark.skipif(
    not SITL, reason="set PILOTAGE_SITL to the path of ArduPilot's arducopter built for SITL"
)


@pytest.fixture
def sitl(tmp_path: Path) -> Iterator[str]:
    defaults = tmp_path / "copter.parm"
    defaults.write_text("FRAME_CLASS 1\nFRAME_TYPE 0\n")
    command = [SITL, "--model", "quad", "-I", str(INSTANCE), "--home", HOME]
    process = subprocess.Popen(
        [*command, "--defaults", str(defaults)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end_s = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", 5760 + 10 * INSTANCE), 1).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < end_s
                time.sleep(0.2)
        yield ADDRESS
    finally:
        process.kill()
        process.wait()


def _doctor(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:
    cli.main(["doctor", "--link", *arguments, "--json"])
    return dict(json.loads(capsys.readouterr().out))


def test_differences_are_read_written_and_gone(
    sitl: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = _doctor(capsys, sitl)
    names = {c["name"]: c["outcome"] for c in before["checks"]}
    assert names["parameters.GPS2_TYPE"] == names["parameters.EK3_SRC1_VELXY"] == "fail"
    assert names["link.heartbeat"] == names["link.autopilot"] == "pass"
    after = _doctor(capsys, sitl, "--apply")
    written = {a["name"]: (a["before"], a["after"], a["state"]) for a in after["applied"]}
    assert written["GPS2_TYPE"] == (0.0, 14.0, "written")
    assert not [c for c in after["checks"] if c["name"].startswith("parameters.")]
    assert after["seconds"] < 10.0
    assert _doctor(capsys, sitl, "--apply")["applied"] == []
