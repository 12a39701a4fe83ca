"""The machine's temperatures, clocks and power mode, as the kernel tells them under /sys.

Linux: Documentation/driver-api/thermal/sysfs-api and cooling devices, admin-guide/pm/cpufreq.
NVIDIA Jetson (JetPack 6 and 7): nvpmodel keeps the mode in /var/lib/nvpmodel/status and names
it in /etc/nvpmodel.conf; a throttled module shows thermal cooling devices above state 0 and
soctherm over-current events. On any other Linux machine what is there is read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HOT_C = 85.0  # Orin throttles in software from about 99 degC on; before, the pilot should know
SANE_C = (-60.0, 150.0)  # an unpowered sensor tells -256 or 0x7fff
SLOW_SHARE = 0.75  # of the highest clock; below it while capped the network takes 1/3 longer
MODE_NAME = re.compile(r"<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+?)\s*>")
MODEL = "proc/device-tree/model"
POWER_STATUS = "var/lib/nvpmodel/status"
POWER_CONF = "etc/nvpmodel.conf"
COOLING = ("cpu", "gpu", "throttle", "devfreq", "user-alert", "hot-surface")  # not fans


@dataclass(frozen=True)
class MachineHealth:
    """hottest_c with its zone, None without sensors. power_mode '' where there is none to tell.
    throttled: why the machine runs slower than it could, '' while it doesn't."""

    model: str
    hottest_c: float | None
    zone: str
    power_mode: str
    throttled: str

    @property
    def problem(self) -> str:
        """A clause while something is amiss, else ''."""
        if self.throttled:
            return f"throttled: {self.throttled}"
        if self.hottest_c is not None and self.hottest_c >= HOT_C:
            return f"{self.zone} has {self.hottest_c:.0f} degC"
        return ""

    @property
    def detail(self) -> str:
        """Figures in a few words."""
        heat = f"{self.hottest_c:.0f} degC ({self.zone})" if self.hottest_c is not None else ""
        return ", ".join(part for part in (heat, self.power_mode) if part)


def machine_health(root: Path = Path("/")) -> MachineHealth:
    """Takes a few milliseconds; never raises. root: for tests."""
    zones = sorted(_zones(root), reverse=True)
    hottest_c, zone = zones[0] if zones else (None, "")
    return MachineHealth(
        model=_text(root / MODEL).rstrip("\0"),
        hottest_c=hottest_c,
        zone=zone,
        power_mode=_power_mode(root),
        throttled=_throttled(root),
    )


def _zones(root: Path) -> list[tuple[float, str]]:
    """(degC, name) of every sensor that tells something possible."""
    found = []
    for folder in _folders(root / "sys/class/thermal", "thermal_zone*"):
        milli = _number(folder / "temp")
        if milli is not None and SANE_C[0] < milli / 1000 < SANE_C[1]:
            found.append((milli / 1000, _text(folder / "type") or folder.name))
    return found


def _power_mode(root: Path) -> str:
    """As '15W', 'MAXN'; the number where the table of names is missing."""
    match = re.search(r"pmode:(\d+)", _text(root / POWER_STATUS))
    if match is None:
        return ""
    number = int(match.group(1))
    names = {int(n): name for n, name in MODE_NAME.findall(_text(root / POWER_CONF))}
    return f"power mode {names.get(number, number)}"


def _throttled(root: Path) -> str:
    for check in (_cooling, _over_current, _capped_cpu):
        why = check(root)
        if why:
            return why
    return ""


def _cooling(root: Path) -> str:
    """A thermal cooling device that holds something back; fans may turn."""
    for folder in _folders(root / "sys/class/thermal", "cooling_device*"):
        name, state = _text(folder / "type"), _number(folder / "cur_state")
        held_back = any(kind in name.lower() for kind in COOLING) and "fan" not in name.lower()
        if held_back and state is not None and state > 0:
            return f"{name} holds it back (state {state})"
    return ""


def _over_current(root: Path) -> str:
    """soctherm's over-current throttling, while it acts."""
    for folder in _folders(root / "sys/class/hwmon", "hwmon*"):
        for path in sorted(folder.glob("oc*_throt_en")):
            state = _number(path.with_name(path.name.replace("_throt_en", "_status")))
            if state is not None and state > 0:
                return f"over-current {path.name.split('_')[0]}"
    return ""


def _capped_cpu(root: Path) -> str:
    """A CPU whose allowed clock is well below what it is made for."""
    for folder in _folders(root / "sys/devices/system/cpu/cpufreq", "policy*"):
        allowed, made_for = (_number(folder / n) for n in ("scaling_max_freq", "cpuinfo_max_freq"))
        if allowed is not None and made_for and allowed < SLOW_SHARE * made_for:
            return f"CPU capped to {allowed // 1000} of {made_for // 1000} MHz"
    return ""


def _folders(parent: Path, pattern: str) -> list[Path]:
    try:
        return sorted(parent.glob(pattern))
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # a sensor that is asleep answers EAGAIN or EINVAL
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if re.fullmatch(r"-?\d{1,12}", text) else None
