"""Parameters read, compared and written, over a real socket; against ArduPilot's SITL where it
is at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onboard.autopilot.parameters import ParameterState
from onboard.autopilot.preset import choose, presets
from onboard.errors import InputError
from onboard.flight_settings import Output
from tests.tools.doctor.small_autopilot import SmallAutopilot
from tools import cli
from tools.doctor import autopilot_session, parameter_checks
from tools.doctor.apply_parameters import apply_parameters
from tools.doctor.check import Finding, Outcome
from tools.doctor.run_checks import look
from tools.doctor.subject import Subject

(PRESET,) = choose("ardupilot", "copter", (4, 7), (Output.GPS_INPUT,))
RIGHT = {p.name: p.value for p in PRESET.parameters}
WRONG = {**RIGHT, "GPS2_TYPE": 0.0, "EK3_SRC1_VELXY": 3.0}


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autopilot_session, "HEARTBEAT_WITHIN_S", 1.5)


def _look(subject: Subject) -> dict[str, Finding]:
    return {f.part: f for f in look(parameter_checks.CHECKS[0], subject)}


def test_right_parameters_pass() -> None:
    with SmallAutopilot(RIGHT) as vehicle:
        subject = Subject(link_address=vehicle.address)
        found = _look(subject)
        subject.close()
    assert {f.outcome for f in found.values()} == {Outcome.PASS} and set(found) == {""}
    assert f"{len(RIGHT)} of {len(RIGHT)}" in found[""].said
    assert vehicle.written == []  # looking writes nothing


def test_each_difference_is_named_with_why_and_what_to_do() -> None:
    with SmallAutopilot(WRONG) as vehicle:
        subject = Subject(link_address=vehicle.address)
        found = _look(subject)
        subject.close()
    assert set(found) == {"GPS2_TYPE", "EK3_SRC1_VELXY", ""}
    gps2 = found["GPS2_TYPE"]
    assert gps2.outcome is Outcome.FAIL and "is 0, should be 14" in gps2.said
    assert "GPS2_TYPE = 14, then reboot" in gps2.mend
    assert "reboot" not in found["EK3_SRC1_VELXY"].mend


def test_a_parameter_that_is_absent_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    had = {n: v for n, v in RIGHT.items() if n != "GPS2_TYPE"}
    with SmallAutopilot(had) as vehicle:
        subject = Subject(link_address=vehicle.address)
        found = _look(subject)
        subject.close()
    assert found["GPS2_TYPE"].outcome is Outcome.WARN and "absent" in found["GPS2_TYPE"].said


def test_answers_that_do_not_come_in_time_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter_checks, "READ_WITHIN_S", 0.3)
    with SmallAutopilot({}) as vehicle:
        subject = Subject(link_address=vehicle.address)
        found = _look(subject)
        subject.close()
    assert found["unread"].outcome is Outcome.WARN and "GPS2_TYPE" in found["unread"].said


def test_apply_writes_what_differs_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with SmallAutopilot({**WRONG, "ARMING_CHECK": 1.0}) as vehicle:
        cli.main(["doctor", "--link", vehicle.address, "--apply", "--json"])
        told = json.loads(capsys.readouterr().out)
    assert sorted(vehicle.written) == [("EK3_SRC1_VELXY", 0.0), ("GPS2_TYPE", 14.0)]
    assert {(a["name"], a["before"], a["after"], a["state"]) for a in told["applied"]} == {
        ("GPS2_TYPE", 0.0, 14.0, "written"),
        ("EK3_SRC1_VELXY", 3.0, 0.0, "written"),
    }
    (after,) = [c for c in told["checks"] if c["name"].startswith("parameters")]
    assert after["outcome"] == "pass"  # read again after the writing


def test_apply_on_right_parameters_writes_nothing() -> None:
    with SmallAutopilot(RIGHT) as vehicle:
        subject = Subject(link_address=vehicle.address)
        assert apply_parameters(subject) == []
        subject.close()
    assert vehicle.written == []


def test_an_armed_vehicle_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with SmallAutopilot(WRONG, armed=True) as vehicle:
        assert cli.main(["doctor", "--link", vehicle.address, "--apply"]) == 2
    assert vehicle.written == []
    assert "the vehicle is armed; disarm it" in capsys.readouterr().err


def test_a_vehicle_armed_meanwhile_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the reading and the writing."""
    with SmallAutopilot(WRONG) as vehicle:
        subject = Subject(link_address=vehicle.address)
        parameter_checks.compare(subject)
        vehicle.armed = True
        with pytest.raises(InputError, match="armed"):
            subject.autopilot.get().apply(parameter_checks.compare(subject).found, 5.0)
        subject.close()
    assert vehicle.written == []


def test_a_value_that_the_autopilot_refuses_is_no_success(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with SmallAutopilot(WRONG, stubborn=("GPS2_TYPE",)) as vehicle:
        assert cli.main(["doctor", "--link", vehicle.address, "--apply"]) == 1
    out = capsys.readouterr().out
    assert "GPS2_TYPE: 0 -> 0 (REFUSED by the autopilot)" in out
    assert "EK3_SRC1_VELXY: 3 -> 0 (read back)" in out


@pytest.mark.parametrize("arguments", [[], ["--link", "tcp:127.0.0.1:1"], ["--link", "nowhere"]])
def test_apply_without_an_autopilot_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", "--apply", *arguments]) == 2
    out = capsys.readouterr()
    assert out.out == "" and out.err.count("\n") == 1


def test_a_takeover_that_was_not_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parameters differ because Pilotage changed them; it alone knows what they were."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert look(parameter_checks.CHECKS[1], Subject())[0].outcome is Outcome.PASS
    (tmp_path / "pilotage").mkdir()
    (tmp_path / "pilotage" / "takeover.json").write_text("{}")
    assert look(parameter_checks.CHECKS[1], Subject())[0].outcome is Outcome.FAIL
    with SmallAutopilot(WRONG) as vehicle:
        assert cli.main(["doctor", "--link", vehicle.address, "--apply"]) == 2
    assert vehicle.written == [] and "not given back" in capsys.readouterr().err


def test_an_output_without_a_preset_is_not_asked(tmp_path: Path) -> None:
    with SmallAutopilot(RIGHT) as vehicle:
        path = tmp_path / "flight.toml"
        path.write_text(
            f'[link]\naddress = "{vehicle.address}"\n'
            '[publish]\noutputs = ["nmea"]\nnmea_address = "udpout:127.0.0.1:1"\n'
        )
        subject = Subject(path)
        assert _look(subject)[""].outcome is Outcome.SKIP
        subject.close()


def test_the_presets_are_whole() -> None:
    assert len(presets()) >= 5 and ParameterState.WRITTEN.value == "written"
