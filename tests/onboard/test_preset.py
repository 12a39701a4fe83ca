"""The shipped presets, which of them fits, and what differs."""

import dataclasses

import pytest

from onboard.autopilot.parameters import ParameterClient
from onboard.autopilot.preset import apply, best, choose, differences, presets
from onboard.errors import InputError
from onboard.flight_settings import Output
from onboard.outputs.global_position import SENSOR_ID
from onboard.telemetry_messages import VehicleState
from tests.onboard.takeover.test_takeover import Autopilot

GPS, NAV, AGP = [Output.GPS_INPUT], [Output.ODOMETRY], [Output.GLOBAL_POSITION]


@pytest.mark.parametrize("preset", presets(), ids=lambda p: p.title)
def test_every_preset_is_whole(preset) -> None:
    assert preset.autopilot in ("ardupilot", "px4")
    assert len(set(preset.names)) == len(preset.names)
    for p in preset.parameters:
        assert 0 < len(p.name) <= 16 and p.name == p.name.upper()
        assert len(p.why) > 20 and p.accepts(p.value)


@pytest.mark.parametrize(
    ("autopilot", "kind", "version", "outputs", "titles"),
    [
        ("ardupilot", "copter", (4, 7), GPS, ["ArduPilot copter: GPS_INPUT"]),
        ("ardupilot", "plane", (4, 6), GPS, ["ArduPilot plane: GPS_INPUT"]),
        ("ardupilot", "copter", None, NAV, ["ArduPilot copter 4.7: ODOMETRY"]),
        ("ardupilot", "copter", (4, 6), NAV, ["ArduPilot copter 4.6: ODOMETRY"]),
        ("ardupilot", "plane", (4, 8), NAV, ["ArduPilot plane 4.7: ODOMETRY"]),
        ("ardupilot", "copter", (4, 5), GPS + NAV, []),
        ("ardupilot", "other", (4, 7), GPS, []),
        ("ardupilot", "copter", (4, 7), [Output.NMEA], []),
        ("px4", "copter", None, NAV, ["PX4: ODOMETRY"]),
        ("px4", "plane", None, AGP, ["PX4: GLOBAL_POSITION_SENSOR"] * 2),
        ("other", "copter", None, GPS + NAV + AGP, []),
    ],
)
def test_what_fits(autopilot, kind, version, outputs, titles) -> None:
    found = choose(autopilot, kind, version, outputs)
    assert len(found) == len(titles)
    assert all(p.title.startswith(t) for p, t in zip(found, titles, strict=True))


def test_px4s_release_is_told_by_its_parameters() -> None:
    both = choose("px4", "copter", None, AGP)
    (new,) = best(both, {"EKF2_AGP0_ID": 0.0, "EKF2_AGP0_CTRL": 0.0, "EKF2_GPS_MODE": 0.0})
    (old,) = best(both, {"EKF2_AGP_CTRL": 0.0, "EKF2_AGP_DELAY": 0.0, "EKF2_GPS_MODE": 0.0})
    assert "EKF2_AGP0_ID" in new.names and "EKF2_AGP_CTRL" in old.names
    assert len(old.parameters) == len(new.parameters) - 2
    (agp_id,) = (p for p in new.parameters if p.name == "EKF2_AGP0_ID")
    assert agp_id.value == SENSOR_ID


def test_what_differs_and_why() -> None:
    (preset,) = choose("ardupilot", "copter", (4, 7), GPS)
    values = {p.name: p.value for p in preset.parameters}
    assert differences(preset, values) == []
    values |= {"GPS_AUTO_SWITCH": 4.0, "EK3_VELNE_M_NSE": 0.5, "GPS2_DELAY_MS": 250.0}
    assert differences(preset, values) == []  # allowed, too
    values |= {"EK3_SRC1_VELXY": 3.0, "EK3_VELNE_M_NSE": 5.0}
    del values["GPS2_DELAY_MS"]
    said = [d.said for d in differences(preset, values)]
    assert [s.split(":")[0] for s in said] == [
        "EK3_SRC1_VELXY is 3, should be 0",
        "GPS2_DELAY_MS is absent, should be 0 to 250",
        "EK3_VELNE_M_NSE is 5, should be 0.05 to 1",
    ]
    assert "standing still" in said[0]


def test_what_differs_is_written_on_the_ground_only() -> None:
    autopilot = Autopilot()
    client = ParameterClient(autopilot)
    (preset,) = choose("ardupilot", "copter", (4, 7), GPS)
    autopilot.parameters = {p.name: p.value for p in preset.parameters} | {"GPS2_TYPE": 0.0}
    found = differences(preset, autopilot.parameters | {"GPS_PRIMARY": 1.0})
    disarmed = VehicleState(0, "ardupilot", "copter", False, "STABILIZE")
    for vehicle in (None, dataclasses.replace(disarmed, armed=True)):
        with pytest.raises(InputError, match="parameters: the"):
            apply(found, client, vehicle)
    assert client.is_idle
    ordered = apply(found, client, disarmed)
    assert {p.name for p in ordered} == {"GPS2_TYPE", "GPS_PRIMARY"}
    assert [p.needs_reboot for p in ordered] == [True, False]
    for now_ns in range(0, 3_000_000_000, 100_000_000):
        client.act(now_ns)
        answers, autopilot.answers = autopilot.answers, []
        for answer in answers:
            client.hear(dataclasses.replace(answer, time_ns=now_ns))
    assert client.is_idle
    assert differences(preset, autopilot.parameters) == []
