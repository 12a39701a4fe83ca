"""The computer: memory, clock, heat, power, rights."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

from onboard.runtime.jetson import HOT_C, machine_health
from tools.doctor.check import Check, Finding, NotAsked, failure, good, warning
from tools.doctor.subject import Subject

MIB = 1 << 20
# A flight holds about 300 MB, and the map's file cache comes on top.
ENOUGH_MEMORY_B, LEAST_MEMORY_B = 1024 * MIB, 400 * MIB
TOO_HOT_C = 95.0  # Jetsons slow down from 95-99
FASTEST = "MAXN"  # nvpmodel's name for no limit
STEADY_CLOCKS = ("tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page")
STA_UNSYNC = 0x40  # timex.h: the kernel's clock follows nobody
RTC_OFF_S = 120.0
SERVICE = Path("etc/systemd/system/pilotage.service")


def memory(subject: Subject) -> Finding:
    for line in _text(subject.root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            free_b = int(line.split()[1]) * 1024
            break
    else:
        raise NotAsked("the kernel does not say how much memory is free")
    said = f"{free_b // MIB} MiB of memory are free"
    mend = "end other programs; on a Jetson: sudo systemctl set-default multi-user.target"
    if free_b < LEAST_MEMORY_B:
        return failure(f"{said}, a flight needs {LEAST_MEMORY_B // MIB}", mend)
    if free_b < ENOUGH_MEMORY_B:
        return warning(f"{said}, {ENOUGH_MEMORY_B // MIB} leave room for the map", mend)
    return good(said)


def governor(subject: Subject) -> Finding:
    files = sorted(subject.root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"))
    if not files:
        raise NotAsked("this machine has no CPU frequency governor")
    found = {_text(file) for file in files}
    if found == {"performance"}:
        return good(f"all {len(files)} CPUs run by the governor performance")
    return warning(
        f"CPUs run by the governor {', '.join(sorted(found - {'performance'}))}: frames take "
        "longer and unevenly so",
        "sudo cpupower frequency-set -g performance (on a Jetson: sudo jetson_clocks)",
    )


def temperature(subject: Subject) -> Finding:
    health = machine_health(subject.root)
    if health.hottest_c is None:
        raise NotAsked("this machine tells no temperature")
    said = f"the hottest zone is {health.zone} with {health.hottest_c:.0f} C"
    if health.hottest_c >= TOO_HOT_C:
        return failure(f"{said}: it is about to be slowed down", "cool the computer before flight")
    if health.hottest_c >= HOT_C:
        return warning(said, "give the computer more air")
    return good(said)


def throttling(subject: Subject) -> Finding:
    why = machine_health(subject.root).throttled
    if why:
        return warning(f"the machine is slowed down: {why}", "more air, or a stronger supply")
    return good("nothing slows the machine down")


def power_mode(subject: Subject) -> Finding:
    mode = machine_health(subject.root).power_mode
    if not mode:
        raise NotAsked("not a Jetson")
    if FASTEST in mode.upper():
        return good(mode)
    return warning(f"{mode} is not the fastest", "sudo nvpmodel -m 0 (sudo nvpmodel -p lists all)")


def groups(subject: Subject) -> Finding:
    """A camera's node belongs to the group video, a serial port's to dialout."""
    settings = subject.settings.needed()
    wanted = [p for p in (settings.camera.partition("?")[0], settings.link.address)
              if p.startswith("/dev/")]  # fmt: skip
    if not wanted:
        raise NotAsked("neither camera nor link is a device of this machine")
    for path in wanted:
        if not Path(path).exists():
            continue  # the camera's and the link's own checks say so
        if not os.access(path, os.R_OK | os.W_OK):
            group = "video" if "video" in path else "dialout"
            return failure(
                f"{path} may not be opened by this user",
                f"sudo usermod -aG {group} $USER, then log in again",
            )
    return good(f"{' and '.join(wanted)} may be opened by this user")


def service(subject: Subject) -> Finding:
    if not (subject.root / "run/systemd/system").is_dir():
        raise NotAsked("systemd does not run here")
    if (subject.root / SERVICE).exists():
        return good("pilotage.service is installed")
    return warning(
        "pilotage.service is not installed: after a power cut nobody starts Pilotage",
        "pilotage service | sudo tee /etc/systemd/system/pilotage.service && sudo systemctl "
        "enable pilotage",
    )


def clock_source(subject: Subject) -> Finding:
    """Every event is stamped: a clock source that is slow to read, or jumps, costs accuracy."""
    folder = subject.root / "sys/devices/system/clocksource/clocksource0"
    source = _text(folder / "current_clocksource")
    resolution_ns = time.clock_getres(time.CLOCK_MONOTONIC) * 1e9
    if resolution_ns > 1000.0:
        return failure(
            f"the monotonic clock counts in steps of {resolution_ns:.0f} ns",
            "use a kernel with high-resolution timers (CONFIG_HIGH_RES_TIMERS)",
        )
    if source not in STEADY_CLOCKS:
        return warning(
            f"time is taken from {source}, which is slow to read",
            "see what /sys/devices/system/clocksource/clocksource0/available_clocksource offers",
        )
    return good(f"the monotonic clock runs on {source}")


def clock_is_set(_: Subject) -> Finding:
    """Recordings are named by it, and signing refuses a clock that is behind."""
    newest_s = Path(__file__).stat().st_mtime
    if time.time() < newest_s:
        return failure(
            f"the date is {time.strftime('%Y-%m-%d')}, before Pilotage was installed",
            "sudo timedatectl set-ntp true, or fit a battery to the real-time clock",
        )
    if kernel_clock_is_synchronized():
        return good("the date follows a time server")
    return warning(
        "the date follows no time server: right as far as the real-time clock is",
        "sudo timedatectl set-ntp true (needs a network once)",
    )


def real_time_clock(subject: Subject) -> Finding:
    clocks = sorted(subject.root.glob("sys/class/rtc/rtc*"))
    if not clocks:
        return warning(
            "there is no real-time clock: without a network every start begins at an old date, "
            "and a signed link refuses it",
            "fit a real-time clock, or take the time from the autopilot's GNSS",
        )
    off_s = min(abs(int(_text(c / "since_epoch")) - time.time()) for c in clocks)
    if off_s > RTC_OFF_S:
        return warning(
            f"the real-time clock is {off_s:.0f} s off the date", "sudo hwclock --systohc"
        )
    return good(f"the real-time clock agrees to {off_s:.0f} s")


def state(_: Subject) -> Finding:
    """Engines' record, what a takeover changed: what must outlive a run."""
    from onboard.inference.engine_record import state_folder

    folder = state_folder()
    place = next(p for p in (folder, *folder.parents) if p.exists())
    if os.access(place, os.W_OK | os.X_OK):
        return good(f"{folder} can be written")
    return failure(
        f"{folder} can't be written: an engine or a takeover would not be remembered",
        f"sudo mkdir -p {folder} && sudo chown $USER {folder}",
    )


def kernel_clock_is_synchronized() -> bool:
    """adjtimex(2) without setting anything. Raises NotAsked: not Linux."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        timex = (ctypes.c_long * 64)()  # struct timex: modes first, status the sixth long
        if libc.adjtimex(ctypes.byref(timex)) < 0:
            raise NotAsked("the kernel does not say whether its clock is synchronized")
    except (OSError, AttributeError) as e:
        raise NotAsked("the kernel does not say whether its clock is synchronized") from e
    return not timex[5] & STA_UNSYNC


def _text(path: Path) -> str:
    """Raises NotAsked: not there, not readable."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as e:
        raise NotAsked(f"{path} can't be read ({e.strerror})") from e


CHECKS = (
    Check("machine.memory", memory),
    Check("machine.governor", governor),
    Check("machine.temperature", temperature),
    Check("machine.throttling", throttling),
    Check("machine.power_mode", power_mode),
    Check("machine.service", service),
    Check("machine.state_folder", state),
    Check("clock.source", clock_source),
    Check("clock.date", clock_is_set),
    Check("clock.rtc", real_time_clock),
    Check("machine.devices", groups, of_flight=True),
)
