"""Machine checks, both ways, on a machine made of files."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.tools.doctor.ready_flight import named, outcome
from tools.doctor import machine_checks
from tools.doctor.check import Outcome
from tools.doctor.subject import Subject

PASS, WARN, FAIL, SKIP = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.SKIP
CPU = "sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"
ZONE = "sys/class/thermal/thermal_zone{}/{}"
SERVICE = {"run/systemd/system/x": "", "etc/systemd/system/pilotage.service": "x"}
CLOCKS = "sys/devices/system/clocksource/clocksource0/current_clocksource"
COOLING = "sys/class/thermal/cooling_device0/{}"
THROTTLED = {COOLING.format("type"): "cpufreq-cpu0", COOLING.format("cur_state"): "3"}
JETSON = {
    "etc/nv_tegra_release": "# R36",
    "etc/nvpmodel.conf": "< POWER_MODEL ID=0 NAME=MAXN >\n< POWER_MODEL ID=2 NAME=15W >\n",
}
NOW = "now"  # when the test runs


def _meminfo(mib: int) -> str:
    return f"MemTotal: 1 kB\nMemAvailable:   {mib * 1024} kB\n"


def _zones(*thousandths_c: int) -> dict[str, str]:
    heats = {ZONE.format(i, "temp"): str(t) for i, t in enumerate(thousandths_c)}
    return heats | {ZONE.format(i, "type"): "cpu" for i in range(len(thousandths_c))}


@pytest.mark.parametrize(
    ("name", "files", "expected"),
    [
        ("machine.memory", {"proc/meminfo": _meminfo(4000)}, PASS),
        ("machine.memory", {"proc/meminfo": _meminfo(700)}, WARN),
        ("machine.memory", {"proc/meminfo": _meminfo(100)}, FAIL),
        ("machine.memory", {}, SKIP),
        ("machine.governor", {CPU.format(0): "performance", CPU.format(1): "performance"}, PASS),
        ("machine.governor", {CPU.format(0): "performance", CPU.format(1): "powersave"}, WARN),
        ("machine.governor", {}, SKIP),
        ("machine.temperature", _zones(51000), PASS),
        ("machine.temperature", _zones(88000), WARN),
        ("machine.temperature", _zones(97500, 40000), FAIL),
        ("machine.temperature", {}, SKIP),
        ("machine.throttling", {}, PASS),
        ("machine.throttling", THROTTLED, WARN),
        ("machine.power_mode", {**JETSON, "var/lib/nvpmodel/status": "pmode:0000"}, PASS),
        ("machine.power_mode", {**JETSON, "var/lib/nvpmodel/status": "pmode:0002"}, WARN),
        ("machine.power_mode", {}, SKIP),
        ("machine.service", SERVICE, PASS),
        ("machine.service", {"run/systemd/system/x": ""}, WARN),
        ("machine.service", {}, SKIP),
        ("clock.source", {CLOCKS: "tsc"}, PASS),
        ("clock.source", {CLOCKS: "hpet"}, WARN),
        ("clock.source", {}, SKIP),
        ("clock.rtc", {"sys/class/rtc/rtc0/since_epoch": NOW}, PASS),
        ("clock.rtc", {"sys/class/rtc/rtc0/since_epoch": "1000"}, WARN),
        ("clock.rtc", {}, WARN),
    ],
)  # fmt: skip
def test_machine(tmp_path: Path, name: str, files: dict[str, str], expected: Outcome) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        told = str(int(time.time())) if text == NOW else text
        (tmp_path / path).write_text(told + "\n")
    assert outcome(named(machine_checks.CHECKS, name), Subject(root=tmp_path)) is expected


def test_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    check = named(machine_checks.CHECKS, "clock.date")
    monkeypatch.setattr(machine_checks, "kernel_clock_is_synchronized", lambda: True)
    assert outcome(check, Subject()) is PASS
    monkeypatch.setattr(machine_checks, "kernel_clock_is_synchronized", lambda: False)
    assert outcome(check, Subject()) is WARN
    monkeypatch.setattr(machine_checks.time, "time", lambda: 1e9)  # 2001
    assert outcome(check, Subject()) is FAIL


def test_the_kernel_can_be_asked_about_its_clock() -> None:
    assert machine_checks.kernel_clock_is_synchronized() in (True, False)


def test_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = named(machine_checks.CHECKS, "machine.state_folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert outcome(check, Subject()) is PASS
    monkeypatch.setattr(machine_checks.os, "access", lambda *_: False)
    assert outcome(check, Subject()) is FAIL


def test_devices_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check = named(machine_checks.CHECKS, "machine.devices")
    path = tmp_path / "flight.toml"
    path.write_text('camera = "/dev/null?width=640"\n[link]\naddress = "tcp:1.1.1.1:5760"\n')
    assert outcome(check, Subject(path)) is PASS
    real = os.access
    monkeypatch.setattr(
        machine_checks.os, "access", lambda p, m: False if str(p) == "/dev/null" else real(p, m)
    )
    assert outcome(check, Subject(path)) is FAIL
    path.write_text('camera = "udp://0.0.0.0:5600"\n')
    assert outcome(check, Subject(path)) is SKIP
