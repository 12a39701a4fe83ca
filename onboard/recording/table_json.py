"""Frozen records as JSON tables and back, every number to its last bit.

A table leaves out what is None. `event_of` trusts nothing: a recording may be damaged.
"""

from __future__ import annotations

import dataclasses
import typing
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.messages import Event
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

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Attitude,
        Height,
        Gnss,
        EkfStatus,
        SensorHealth,
        GnssIntegrity,
        AirData,
        VehicleState,
        AutopilotPosition,
        LocalOrigin,
        ParameterValue,
        CommandAck,
    )
}
PLAIN = (bool, int, float, str)


def table_of(record: Any) -> dict[str, Any]:
    """A dataclass of plain values, enums, paths, tuples and dataclasses."""
    values = ((f.name, getattr(record, f.name)) for f in dataclasses.fields(record))
    return {name: _plain(value) for name, value in values if value is not None}


def event_table(event: Event) -> dict[str, Any]:
    """Any event but a frame: its kind and its values."""
    return {"kind": type(event).__name__, "values": table_of(event)}


def event_of(table: dict[str, Any], where: str) -> Event:
    """Raises InputError: no event of a known kind, a value missing or of another type."""
    kind, values = KINDS.get(str(table.get("kind"))), table.get("values")
    if kind is None or not isinstance(values, dict):
        raise InputError(f"{where}: no event of a known kind; take the Pilotage that recorded it")
    hints = _hints(kind)
    for name, value in list(values.items()):
        wanted = hints.get(name)
        if wanted is float and type(value) is int:  # JSON has one kind of number
            value = _float(value)
        if wanted is None or not isinstance(value, wanted):
            raise InputError(f"{where}: {kind.__name__}.{name} is {value!r}; the file is damaged")
        values[name] = value
    try:
        return typing.cast(Event, kind(**values))
    except TypeError as e:
        raise InputError(f"{where}: {kind.__name__} is not whole; the file is damaged") from e


def _float(value: int) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    if dataclasses.is_dataclass(value):
        return table_of(value)
    return value.item()  # numpy's numbers


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Field -> the type that its JSON value has."""
    found = {}
    for name, hint in typing.get_type_hints(kind).items():
        plain = next(p for p in (hint, *typing.get_args(hint)) if p in PLAIN)
        found[name] = plain
    return found
