"""Deselecting the receiver and giving it back: one test per row of the table, every crash."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from onboard.errors import InputError
from onboard.flight_settings import (
    Output,
    PublishSettings,
    PublishWhen,
    TakeoverMethod,
    TakeoverSettings,
)
from onboard.fusion import Fusion
from onboard.messages import Estimate, Event, GnssAssessment
from onboard.reasons import GnssState, Mode
from onboard.takeover.takeover import Takeover
from onboard.takeover.takeover_selection import Selection
from onboard.telemetry_messages import (
    CommandAck,
    Gnss,
    LocalOrigin,
    ParameterValue,
    VehicleState,
)
from tests.onboard.flights import GOOD

TICK_NS = 100_000_000
GOOD_STATE, JAMMED, LOST = GnssState.GOOD, GnssState.JAMMED, GnssState.LOST
UNTRUSTED = replace(GOOD, mode=Mode.LOST)
SET_SOURCE = mavlink.MAV_CMD_SET_EKF_SOURCE_SET
GPS = PublishSettings()
VISION = PublishSettings(outputs=(Output.ODOMETRY,))


class Autopilot:
    """Answers parameters and commands as ArduPilot does, one tick later; loses what it is told
    to lose, both ways."""

    def __init__(self, loss: float = 0.0, seed: int = 1) -> None:
        self.parameters = {
            "GPS_PRIMARY": 0.0,
            "GPS_AUTO_SWITCH": 1.0,
            "GPS2_TYPE": 14.0,
            "EK3_SRC1_POSXY": 3.0,
            "EK3_SRC2_POSXY": 6.0,
            "VISO_TYPE": 1.0,
        }
        self.source_set = 1
        self.loss = loss
        self.stubborn: set[str] = set()
        self.sent: list[Any] = []
        self.writes: list[tuple[str, float]] = []
        self.answers: list[Event] = []
        self.now_ns = 0
        self._rng = np.random.default_rng(seed)

    def send(self, message: Any) -> None:
        self.sent.append(message)
        if self._rng.random() < self.loss:
            return
        kind = message.get_type()
        if kind == "PARAM_SET":
            name = message.param_id
            self.writes.append((name, message.param_value))
            if name not in self.stubborn:
                self.parameters[name] = message.param_value
            self._answer(name)
        elif kind == "PARAM_REQUEST_READ" and message.param_id in self.parameters:
            self._answer(message.param_id)
        elif kind == "COMMAND_LONG" and message.command == SET_SOURCE:
            taken = "source_set" not in self.stubborn
            if taken:
                self.source_set = int(message.param1)
            self._tell(CommandAck(self.now_ns, SET_SOURCE, 0 if taken else 4))

    def _answer(self, name: str) -> None:
        self._tell(ParameterValue(self.now_ns, name, self.parameters[name], 2))

    def _tell(self, event: Event) -> None:
        if self._rng.random() >= self.loss:
            self.answers.append(event)

    @property
    def texts(self) -> list[str]:
        return [m.text for m in self.sent if m.get_type() == "STATUSTEXT"]

    @property
    def deselected(self) -> bool:
        p = self.parameters
        return (p["GPS_PRIMARY"], p["GPS_AUTO_SWITCH"]) == (1.0, 0.0)


class Flight:
    """A takeover with its autopilot, flown tick by tick."""

    def __init__(
        self,
        folder: Path,
        method: TakeoverMethod = TakeoverMethod.GPS_PRIMARY,
        autopilot: Autopilot | None = None,
        publish: PublishSettings | None = None,
    ) -> None:
        self.file = folder / "takeover.json"
        self.method = method
        self.publish = publish or (VISION if method is TakeoverMethod.SOURCE_SET else GPS)
        self.autopilot = autopilot or Autopilot()
        self.now_ns = 0
        self.kind = "ardupilot"
        self.takeover = self.start()

    def start(self) -> Takeover:
        """As after a crash: only the file remains."""
        settings = TakeoverSettings(self.method)
        self.takeover = Takeover(self.autopilot, settings, self.publish, self.file)
        self.takeover.hear(LocalOrigin(0, GOOD.lat_deg, GOOD.lon_deg, 500.0))
        return self.takeover

    def fly(
        self,
        seconds: float,
        state: GnssState = GOOD_STATE,
        estimate: Estimate | None = GOOD,
        armed: bool = True,
        apart_deg: float = 0.0,
    ) -> "Flight":
        for _ in range(round(seconds * 10)):
            self.tick(state, estimate, armed, apart_deg)
        return self

    def tick(
        self,
        state: GnssState = GOOD_STATE,
        estimate: Estimate | None = GOOD,
        armed: bool = True,
        apart_deg: float = 0.0,
    ) -> None:
        self.now_ns += TICK_NS
        self.autopilot.now_ns = self.now_ns
        self.takeover.hear(VehicleState(self.now_ns, self.kind, "copter", armed, "AUTO"))
        lat_deg = GOOD.lat_deg + apart_deg
        has_fix = state is not LOST
        self.takeover.hear(Gnss(self.now_ns, lat_deg, GOOD.lon_deg, 2.0, has_fix))
        answers, self.autopilot.answers = self.autopilot.answers, []
        while answers:  # the client goes on from an answer at once
            for event in answers:
                self.takeover.hear(event)
            answers, self.autopilot.answers = self.autopilot.answers, []
        if estimate is not None:
            estimate = replace(estimate, time_ns=self.now_ns)
        self.takeover.act(self.now_ns, estimate, GnssAssessment(self.now_ns, state, self.now_ns))

    @property
    def selected(self) -> str:
        if self.method is TakeoverMethod.SOURCE_SET:
            return "pilotage" if self.autopilot.source_set == 2 else "own"
        return "pilotage" if self.autopilot.deselected else "own"


METHODS = [TakeoverMethod.GPS_PRIMARY, TakeoverMethod.SOURCE_SET]


@pytest.fixture(params=METHODS, ids=[m.value for m in METHODS])
def flight(request: pytest.FixtureRequest, tmp_path: Path) -> Flight:
    return Flight(tmp_path, request.param).fly(5)


def taken(flight: Flight) -> Flight:
    flight.fly(2, JAMMED)
    assert flight.selected == "pilotage"
    return flight


@pytest.mark.parametrize("state", [LOST, JAMMED, GnssState.SPOOFED])
def test_a_bad_receiver_is_deselected_within_a_second(flight: Flight, state: GnssState) -> None:
    assert flight.selected == "own"
    flight.fly(1.0, state)
    assert flight.selected == "pilotage"
    assert flight.takeover.is_held()
    flight.fly(4.0, state)
    assert f"Pilotage: GNSS {state.value}, taking over" in flight.autopilot.texts
    assert "Pilotage: autopilot flies by Pilotage" in flight.autopilot.texts


@pytest.mark.parametrize("state", [GOOD_STATE, GnssState.DEGRADED, GnssState.UNKNOWN])
def test_a_receiver_that_serves_is_left_alone(flight: Flight, state: GnssState) -> None:
    flight.fly(30, state)
    assert (flight.selected, flight.autopilot.writes) == ("own", [])


@pytest.mark.parametrize("state", list(GnssState))
@pytest.mark.parametrize("estimate", [UNTRUSTED, None])
def test_without_a_position_of_ours_nothing_is_taken(
    flight: Flight, state: GnssState, estimate: Estimate | None
) -> None:
    flight.fly(30, state, estimate)
    assert (flight.selected, flight.autopilot.writes) == ("own", [])


def test_on_the_ground_nothing_is_taken(flight: Flight) -> None:
    flight.fly(30, JAMMED, armed=False)
    assert (flight.selected, flight.autopilot.writes) == ("own", [])


def test_a_good_receiver_that_agrees_is_selected_again_after_a_hold(flight: Flight) -> None:
    taken(flight).fly(9.0)
    assert flight.selected == "pilotage"
    flight.fly(3.0)
    assert flight.selected == "own"
    assert flight.autopilot.parameters["GPS_AUTO_SWITCH"] == 1.0
    flight.fly(4)
    assert flight.autopilot.texts[-1] == "Pilotage: receiver selected again"
    assert not flight.takeover.is_held()


def test_a_good_receiver_that_contradicts_is_not(flight: Flight) -> None:
    taken(flight).fly(60, apart_deg=0.001)  # 111 m
    assert flight.selected == "pilotage"


@pytest.mark.parametrize(
    "state", [s for s in GnssState if s is not GOOD_STATE], ids=lambda s: s.value
)
def test_while_ours_is_trusted_and_gnss_is_not_good_it_is_held(
    flight: Flight, state: GnssState
) -> None:
    taken(flight).fly(60, state)
    assert flight.selected == "pilotage"


def test_a_flicker_of_good_does_not_count(flight: Flight) -> None:
    taken(flight)
    for _ in range(10):
        flight.fly(8).fly(0.2, JAMMED)
    assert flight.selected == "pilotage"


@pytest.mark.parametrize("state", [GOOD_STATE, GnssState.DEGRADED])
def test_without_ours_a_plausible_receiver_is_selected_at_once(
    flight: Flight, state: GnssState
) -> None:
    taken(flight).fly(2.0, state, UNTRUSTED, apart_deg=0.001)
    assert flight.selected == "own"


@pytest.mark.parametrize("state", [LOST, GnssState.UNKNOWN])
def test_with_nothing_at_all_the_receiver_may_come_back_by_itself(
    flight: Flight, state: GnssState
) -> None:
    taken(flight).fly(9.0, state, None)
    assert flight.selected == "pilotage"
    flight.fly(3.0, state, None)
    assert flight.selected == "own"


@pytest.mark.parametrize("state", [JAMMED, GnssState.SPOOFED])
def test_a_false_receiver_is_not_selected_even_without_ours(
    flight: Flight, state: GnssState
) -> None:
    taken(flight).fly(60, state, None)
    assert flight.selected == "pilotage"
    flight.fly(1.0, state)
    assert flight.selected == "pilotage"


@pytest.mark.parametrize("state", list(GnssState))
def test_after_landing_the_receiver_is_selected_again(flight: Flight, state: GnssState) -> None:
    taken(flight).fly(3.0, state, armed=False)
    assert flight.selected == "own"
    assert not flight.file.exists()


def test_on_spoof_only_a_spoofed_receiver_is_deselected(tmp_path: Path) -> None:
    publish = PublishSettings(when=PublishWhen.ON_SPOOF)
    flight = Flight(tmp_path, publish=publish).fly(5).fly(10, JAMMED).fly(10, LOST)
    assert flight.autopilot.writes == []
    assert flight.fly(1, GnssState.SPOOFED).selected == "pilotage"


def test_what_was_is_on_the_disk_from_arming_on(tmp_path: Path) -> None:
    """A slow disk must not cost time when the receiver goes."""
    flight = Flight(tmp_path).fly(5, armed=False)
    assert not flight.file.exists()
    flight.fly(1)
    written = flight.file.stat().st_mtime_ns
    taken(flight)
    assert flight.file.stat().st_mtime_ns == written


def test_primary_is_written_first_and_given_back_last(tmp_path: Path) -> None:
    flight = Flight(tmp_path).fly(5)
    flight.fly(2, JAMMED).fly(15)
    assert flight.autopilot.writes == [
        ("GPS_PRIMARY", 1.0),
        ("GPS_AUTO_SWITCH", 0.0),
        ("GPS_AUTO_SWITCH", 1.0),
        ("GPS_PRIMARY", 0.0),
    ]


def test_other_values_than_the_usual_come_back_as_they_were(tmp_path: Path) -> None:
    autopilot = Autopilot()
    autopilot.parameters["GPS_AUTO_SWITCH"] = 4.0
    taken(Flight(tmp_path, autopilot=autopilot).fly(5)).fly(15)
    assert autopilot.parameters["GPS_AUTO_SWITCH"] == 4.0


def test_what_the_pilot_had_set_so_himself_is_left_so(tmp_path: Path) -> None:
    autopilot = Autopilot()
    autopilot.parameters |= {"GPS_PRIMARY": 1.0, "GPS_AUTO_SWITCH": 0.0}
    Flight(tmp_path, autopilot=autopilot).fly(5).fly(10, JAMMED).fly(15).fly(5, armed=False)
    assert autopilot.writes == []
    assert autopilot.deselected


def test_off_sends_nothing_at_all(tmp_path: Path) -> None:
    flight = Flight(tmp_path, TakeoverMethod.OFF).fly(5).fly(60, JAMMED)
    assert flight.autopilot.sent == []
    assert not flight.file.exists()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("method", METHODS)
def test_half_of_all_messages_lost(tmp_path: Path, method: TakeoverMethod, seed: int) -> None:
    flight = Flight(tmp_path, method, Autopilot(loss=0.5, seed=seed)).fly(30)
    flight.fly(60, JAMMED)
    assert flight.selected == "pilotage"
    flight.fly(90)
    assert flight.selected == "own"
    assert flight.autopilot.parameters["GPS_AUTO_SWITCH"] == 1.0
    assert flight.autopilot.parameters["GPS_PRIMARY"] == 0.0


def test_an_autopilot_that_refuses_is_put_back_and_the_pilot_told(tmp_path: Path) -> None:
    flight = Flight(tmp_path).fly(5)
    flight.autopilot.stubborn = {"GPS_AUTO_SWITCH"}
    flight.fly(20, JAMMED)
    assert flight.autopilot.parameters["GPS_PRIMARY"] == 0.0
    assert any(t.startswith("Pilotage: takeover failed") for t in flight.autopilot.texts)
    severities = [m.severity for m in flight.autopilot.sent if m.get_type() == "STATUSTEXT"]
    assert mavlink.MAV_SEVERITY_CRITICAL in severities


def test_a_refused_source_set_is_said(tmp_path: Path) -> None:
    flight = Flight(tmp_path, TakeoverMethod.SOURCE_SET).fly(5)
    flight.autopilot.stubborn = {"source_set"}
    flight.fly(20, JAMMED)
    assert "Pilotage: takeover failed, source set 2 refused" in flight.autopilot.texts


def test_a_link_that_is_gone_at_the_wrong_moment(flight: Flight) -> None:
    flight.autopilot.loss = 1.0
    flight.fly(20, JAMMED)
    assert flight.selected == "own"
    flight.autopilot.loss = 0.0
    flight.fly(40, JAMMED)
    assert flight.selected == "pilotage"
    flight.autopilot.loss = 1.0
    flight.fly(40)
    assert flight.selected == "pilotage"
    flight.autopilot.loss = 0.0
    flight.fly(15)
    assert flight.selected == "own"


@pytest.mark.parametrize(
    ("name", "value"), [("GPS_PRIMARY", 0.0), ("GPS_AUTO_SWITCH", 1.0), ("GPS_AUTO_SWITCH", 4.0)]
)
def test_a_change_by_hand_is_respected_until_landing(
    tmp_path: Path, name: str, value: float
) -> None:
    flight = taken(Flight(tmp_path).fly(5))
    flight.autopilot.parameters[name] = value
    by_hand, written = dict(flight.autopilot.parameters), len(flight.autopilot.writes)
    flight.fly(10, JAMMED).fly(30).fly(10, JAMMED).fly(10, LOST, None)
    assert flight.autopilot.parameters == by_hand
    assert len(flight.autopilot.writes) == written
    assert "Pilotage: changed by hand, hands off" in flight.autopilot.texts
    assert not flight.file.exists()  # what is theirs is not put back after a restart either
    flight.fly(3, armed=False).fly(5)  # landed: a new flight begins
    assert flight.autopilot.parameters == by_hand
    flight.fly(2, JAMMED)
    assert flight.selected == "pilotage"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ticks", range(1, 12))
def test_a_crash_at_any_tick_of_taking_over(
    tmp_path: Path, method: TakeoverMethod, ticks: int
) -> None:
    flight = Flight(tmp_path, method).fly(5)
    flight.fly(ticks * 0.1, JAMMED)
    before = dict(flight.autopilot.parameters)
    changed = before["GPS_PRIMARY"] == 1.0 or flight.autopilot.source_set == 2
    assert flight.file.exists() or not changed  # on the disk before the first change
    flight.start()
    flight.fly(3, JAMMED, None).fly(5, JAMMED)
    assert flight.selected == "pilotage"
    flight.fly(15)
    assert flight.selected == "own"
    assert flight.autopilot.parameters["GPS_AUTO_SWITCH"] == 1.0
    assert flight.autopilot.parameters["GPS_PRIMARY"] == 0.0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("ticks", range(98, 110))
def test_a_crash_at_any_tick_of_giving_back(
    tmp_path: Path, method: TakeoverMethod, ticks: int
) -> None:
    flight = taken(Flight(tmp_path, method).fly(5)).fly(ticks * 0.1)
    flight.start()
    flight.fly(30)
    assert flight.selected == "own"
    assert flight.autopilot.parameters["GPS_AUTO_SWITCH"] == 1.0
    assert flight.autopilot.parameters["GPS_PRIMARY"] == 0.0


@pytest.mark.parametrize("method", METHODS)
def test_switched_off_while_holding_the_receiver_is_selected_at_the_next_start(
    tmp_path: Path, method: TakeoverMethod
) -> None:
    flight = taken(Flight(tmp_path, method).fly(5))
    flight.start()
    flight.fly(5, GOOD_STATE, None, armed=False)
    assert flight.selected == "own"
    assert not flight.file.exists()


@pytest.mark.parametrize("method", METHODS)
def test_a_restart_under_a_spoofer_neither_flies_by_it_nor_gives_back_at_once(
    tmp_path: Path, method: TakeoverMethod
) -> None:
    """The new companion knows nothing of the spoofer, whose position looks perfect."""
    flight = Flight(tmp_path, method).fly(5)
    flight.fly(2, GnssState.SPOOFED)
    assert flight.selected == "pilotage"
    takeover = flight.start()
    fusion = Fusion((GOOD.lat_deg, GOOD.lon_deg), 0.02, doubts_gnss=takeover.doubts_gnss)
    for _ in range(35):
        fusion.take(Gnss(flight.now_ns, GOOD.lat_deg + 0.01, GOOD.lon_deg, 2.0))
        flight.tick(estimate=fusion.estimate_at(flight.now_ns), apart_deg=0.01)
        assert fusion.estimate_at(flight.now_ns) is None
    assert fusion.gnss_at(flight.now_ns).state is GOOD_STATE
    assert flight.selected == "pilotage"
    flight.fly(20, apart_deg=0.01)  # found again by the ground
    assert flight.selected == "pilotage"
    flight.start()
    flight.fly(8, estimate=None)  # never found: its own failsafe would come at 8 s
    assert flight.selected == "own" and not flight.takeover.doubts_gnss()


def test_a_restart_with_nothing_taken_over_trusts_gnss_again(tmp_path: Path) -> None:
    flight = Flight(tmp_path).fly(5)
    assert flight.file.exists()  # armed, nothing taken over
    takeover = flight.start()
    assert takeover.doubts_gnss()
    flight.fly(1)
    assert not takeover.doubts_gnss()


def test_what_someone_set_while_the_companion_was_dead_is_theirs(tmp_path: Path) -> None:
    flight = taken(Flight(tmp_path).fly(5))
    flight.autopilot.parameters["GPS_AUTO_SWITCH"] = 2.0
    written = len(flight.autopilot.writes)
    flight.start()
    flight.fly(30, JAMMED).fly(30)
    assert flight.autopilot.parameters["GPS_AUTO_SWITCH"] == 2.0
    assert len(flight.autopilot.writes) == written


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("GPS2_TYPE", 1.0, "GPS2_TYPE is not 14"), ("EK3_SRC2_POSXY", 3.0, "EK3_SRC2_POSXY is not 6")],
)
def test_where_it_would_select_the_wrong_thing_nothing_is_taken(
    tmp_path: Path, name: str, value: float, said: str
) -> None:
    method = METHODS[name.startswith("EK3")]
    autopilot = Autopilot()
    autopilot.parameters[name] = value
    flight = Flight(tmp_path, method, autopilot).fly(5).fly(20, JAMMED)
    assert flight.selected == "own"
    assert f"Pilotage: no takeover, {said}" in autopilot.texts


def test_px4_is_refused_in_a_sentence(flight: Flight) -> None:
    flight.kind = "px4"
    flight.fly(5).fly(10, JAMMED)
    assert flight.selected == "own"
    assert "Pilotage: takeover needs ArduPilot" in flight.autopilot.texts


def test_without_a_place_for_the_file_nothing_is_written(flight: Flight) -> None:
    flight.file.unlink(missing_ok=True)
    flight.file.mkdir()  # nothing can be renamed onto a folder
    flight.takeover = flight.takeover.__class__(
        flight.autopilot,
        TakeoverSettings(flight.method),
        flight.publish,
        flight.file / "no" / "such" / "folder.json",
    )
    flight.takeover.hear(LocalOrigin(0, GOOD.lat_deg, GOOD.lon_deg, 500.0))
    flight.fly(5).fly(20, JAMMED)
    assert (flight.selected, flight.autopilot.writes) == ("own", [])
    assert "Pilotage: no takeover, state file not written" in flight.autopilot.texts


def test_it_writes_nothing_but_what_it_says(flight: Flight) -> None:
    taken(flight).fly(15).fly(3, JAMMED).fly(20, LOST, None)
    kinds = {m.get_type() for m in flight.autopilot.sent}
    assert kinds <= {"PARAM_SET", "PARAM_REQUEST_READ", "COMMAND_LONG", "STATUSTEXT"}
    assert {name for name, _ in flight.autopilot.writes} <= {"GPS_PRIMARY", "GPS_AUTO_SWITCH"}
    commands = [m.command for m in flight.autopilot.sent if m.get_type() == "COMMAND_LONG"]
    assert set(commands) <= {SET_SOURCE}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"format": 2, "method": "gps_primary", "before": {}}',
        '{"format": 1, "method": "gps_primary", "before": {"GPS_PRIMARY": 0}}',
        '{"format": 1, "method": "gps_primary", "before": 3}',
        '{"format": 1, "method": "off", "before": {}}',
        '{"format": 1, "method": "gps_primary", '
        '"before": {"GPS_PRIMARY": NaN, "GPS_AUTO_SWITCH": 1}}',
    ],
)
def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "takeover.json").write_text(text)
    with pytest.raises(InputError, match=r"takeover\.json: is no takeover file"):
        Flight(tmp_path)


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "takeover.json").touch()
    flight = Flight(tmp_path).fly(5).fly(1, JAMMED)
    assert flight.selected == "pilotage"


def test_another_methods_takeover_must_be_given_back_first(tmp_path: Path) -> None:
    taken(Flight(tmp_path).fly(5))
    assert json.loads((tmp_path / "takeover.json").read_text())["before"]["GPS_AUTO_SWITCH"] == 1
    for method in (TakeoverMethod.OFF, TakeoverMethod.SOURCE_SET):
        with pytest.raises(InputError, match="was not given back"):
            Flight(tmp_path, method)


@pytest.mark.parametrize(
    ("method", "publish"),
    [(TakeoverMethod.GPS_PRIMARY, VISION), (TakeoverMethod.SOURCE_SET, GPS)],
)
def test_the_output_it_would_fly_by_must_be_sent(
    tmp_path: Path, method: TakeoverMethod, publish: PublishSettings
) -> None:
    with pytest.raises(InputError, match="needs"):
        Flight(tmp_path, method, publish=publish)


def test_a_companion_that_ends_gives_back_first(flight: Flight) -> None:
    taken(flight).takeover.end()
    flight.fly(0.7, JAMMED)
    assert not flight.takeover.is_held()
    flight.fly(10, JAMMED)
    assert flight.selected == "own"


def test_is_held_covers_every_moment_between(flight: Flight) -> None:
    held = []
    for state in [JAMMED] * 20 + [GOOD_STATE] * 130:
        flight.tick(state)
        held.append(flight.takeover.is_held())
        if flight.selected == "pilotage":
            assert flight.takeover.is_held()
    assert held[0] is False and held[10] is True and held[-1] is False
    assert flight.takeover._selector is not None
    assert flight.takeover._selector.selection is Selection.OWN
