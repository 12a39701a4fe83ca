"""Machine health from made-up kernel files, as a Jetson and as other machines have them."""

from pathlib import Path

import pytest

from onboard.runtime.jetson import HOT_C, machine_health

CONF = """# nvpmodel.conf
< POWER_MODEL ID=0 NAME=MAXN >
CPU_ONLINE CORE_0 1
< POWER_MODEL ID=2 NAME=15W >
"""


def put(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text + "\n")


@pytest.fixture
def orin(tmp_path):
    thermal = "sys/class/thermal"
    put(tmp_path, f"{thermal}/thermal_zone0/temp", "51250")
    put(tmp_path, f"{thermal}/thermal_zone0/type", "cpu-thermal")
    put(tmp_path, f"{thermal}/thermal_zone1/temp", "62500")
    put(tmp_path, f"{thermal}/thermal_zone1/type", "gpu-thermal")
    put(tmp_path, f"{thermal}/thermal_zone2/temp", "-256000")  # unpowered
    put(tmp_path, f"{thermal}/thermal_zone2/type", "cv0-thermal")
    put(tmp_path, f"{thermal}/cooling_device0/type", "pwm-fan")
    put(tmp_path, f"{thermal}/cooling_device0/cur_state", "3")
    put(tmp_path, f"{thermal}/cooling_device1/type", "cpufreq-cpu0")
    put(tmp_path, f"{thermal}/cooling_device1/cur_state", "0")
    put(tmp_path, "proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0")
    put(tmp_path, "var/lib/nvpmodel/status", "pmode:0002 fmode:fanNull")
    put(tmp_path, "etc/nvpmodel.conf", CONF)
    put(tmp_path, "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "1510400")
    put(tmp_path, "sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "1510400")
    return tmp_path


def test_a_cool_jetson_has_no_problem(orin):
    health = machine_health(orin)
    assert health.model.startswith("NVIDIA Jetson Orin")
    assert health.hottest_c == 62.5
    assert health.zone == "gpu-thermal"
    assert health.power_mode == "power mode 15W"
    assert health.problem == ""
    assert health.detail == "62 degC (gpu-thermal), power mode 15W"


def test_a_fan_that_turns_is_no_throttling(orin):
    put(orin, "sys/class/thermal/cooling_device0/cur_state", "9")
    assert machine_health(orin).problem == ""


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("sys/class/thermal/cooling_device1/cur_state", "2", "cpufreq-cpu0 holds it back"),
        (
            "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
            "729600",
            "CPU capped to 729 of 1510 MHz",
        ),
        ("sys/class/thermal/thermal_zone0/temp", str(int(HOT_C * 1000)), "cpu-thermal has 85"),
    ],
)
def test_what_slows_it_down_is_told(orin, path, value, problem):
    put(orin, path, value)
    assert problem in machine_health(orin).problem


def test_over_current_is_told_while_it_acts(orin):
    put(orin, "sys/class/hwmon/hwmon1/oc3_throt_en", "1")
    put(orin, "sys/class/hwmon/hwmon1/oc3_status", "0")
    assert machine_health(orin).problem == ""
    put(orin, "sys/class/hwmon/hwmon1/oc3_status", "1")
    assert "over-current oc3" in machine_health(orin).problem


def test_an_unknown_power_mode_keeps_its_number(orin):
    put(orin, "var/lib/nvpmodel/status", "pmode:0007")
    assert machine_health(orin).power_mode == "power mode 7"


def test_a_machine_that_tells_nothing(tmp_path):
    health = machine_health(tmp_path)
    assert health.hottest_c is None
    assert health.problem == ""
    assert health.detail == ""


def test_garbage_is_no_temperature(orin):
    for zone in ("0", "1"):
        put(orin, f"sys/class/thermal/thermal_zone{zone}/temp", "hot\n\n")
    assert machine_health(orin).hottest_c is None


def test_this_machine_is_read_without_a_complaint():
    assert isinstance(machine_health().detail, str)
