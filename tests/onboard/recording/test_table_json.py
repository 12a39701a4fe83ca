"""Events survive JSON to the last bit, and damage is told."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.recording.table_json import KINDS, event_of, event_table
from onboard.telemetry_messages import (
    AirData,
    Attitude,
    AutopilotPosition,
    CommandAck,
    EkfStatus,
    Gnss,
    GnssIntegrity,
    Height,
    LocalOrigin,
    ParameterValue,
    SensorHealth,
    VehicleState,
)

times = st.integers(0, 2**62)
reals = st.floats(allow_nan=False)
maybe = st.none() | reals
counts = st.integers(0, 2**32)
events = st.one_of(
    st.builds(Attitude, times, reals, reals, reals),
    st.builds(Height, times, reals, maybe, reals, st.text()),
    st.builds(
        Gnss,
        times,
        reals,
        reals,
        reals,
        st.booleans(),
        counts,
        counts,
        st.none() | counts,
        maybe,
        maybe,
        maybe,
        maybe,
    ),
    st.builds(EkfStatus, times, counts, reals, reals, reals),
    st.builds(SensorHealth, times, st.booleans(), st.booleans(), st.booleans()),
    st.builds(GnssIntegrity, times, counts, counts, counts),
    st.builds(AirData, times, maybe, maybe, maybe),
    st.builds(VehicleState, times, st.text(), st.text(), st.booleans(), st.text()),
    st.builds(AutopilotPosition, times, *[reals] * 7),
    st.builds(LocalOrigin, times, reals, reals, reals),
    st.builds(ParameterValue, times, st.text(), reals, counts),
    st.builds(CommandAck, times, counts, counts),
)


def through_json(table):
    return json.loads(json.dumps(table))


@given(events)
def test_every_event_comes_back_as_it_was(event):
    assert event_of(through_json(event_table(event)), "here") == event


def test_every_kind_of_event_is_tried():
    assert len(KINDS) == 12


def test_what_is_no_number_comes_back_as_none():
    again = event_of(through_json(event_table(Attitude(1, math.nan, math.inf, 0.0))), "here")
    assert math.isnan(again.roll)
    assert again.pitch == math.inf


def test_a_whole_number_stays_a_float():
    again = event_of(through_json(event_table(Height(1, 100))), "here")
    assert again.agl_m == 100.0
    assert isinstance(again.agl_m, float)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"kind": "Frame", "values": {}},
        {"kind": "Attitude"},
        {"kind": "Attitude", "values": []},
        {"kind": "Attitude", "values": {"time_ns": 1}},
        {"kind": "Attitude", "values": {"time_ns": "1", "roll": 0.0, "pitch": 0.0, "yaw": 0.0}},
        {"kind": "Height", "values": {"time_ns": 1, "agl_m": 1.0, "colour": "red"}},
    ],
)
def test_damage_is_told_in_a_sentence(table):
    with pytest.raises(InputError, match="here: "):
        event_of(table, "here")


@given(st.recursive(st.none() | st.booleans() | reals | st.text(), st.lists, max_leaves=5))
def test_any_value_is_taken_or_told(value):
    table = {"kind": "Height", "values": {"time_ns": 1, "agl_m": value}}
    try:
        assert isinstance(event_of(table, "here"), Height)
    except InputError as e:
        assert "agl_m" in str(e)
