"""Writes small DataFlash logs as ArduPilot does, message by message."""

from __future__ import annotations

import struct
from pathlib import Path

HEAD = b"\xa3\x95"
FMT_TYPE = 128
# Name: type, format characters, labels. Formats as in AP_Logger: Q uint64, c int16 / 100,
# C uint16 / 100, L int32 1e-7 deg, f float, B uint8, I uint32, H uint16, e int32 / 100.
FORMATS = {
    "ATT": (1, "QccccCCCCB", "TimeUS,DesRoll,Roll,DesPitch,Pitch,DesYaw,Yaw,ErrRP,ErrYaw,AEKF"),
    "GPS": (
        2,
        "QBBIHBcLLeffffB",
        "TimeUS,I,Status,GMS,GWk,NSats,HDop,Lat,Lng,Alt,Spd,GCrs,VZ,Yaw,U",
    ),
    "GPA": (3, "QBCCCCBIH", "TimeUS,I,VDop,HAcc,VAcc,SAcc,VV,SMS,Delta"),
    "POS": (4, "QLLfff", "TimeUS,Lat,Lng,Alt,RelHomeAlt,RelOriginAlt"),
    "RFND": (5, "QBfBBb", "TimeUS,Instance,Dist,Stat,Orient,Quality"),
    "TRIG": (6, "QIHLLeeeccC", "TimeUS,GPSTime,GPSWeek,Lat,Lng,Alt,RelAlt,GPSAlt,Roll,Pitch,Yaw"),
    "CAM": (7, "QIHLLeeeccC", "TimeUS,GPSTime,GPSWeek,Lat,Lng,Alt,RelAlt,GPSAlt,Roll,Pitch,Yaw"),
}
CODES = {
    "Q": "Q",
    "c": "h",
    "C": "H",
    "L": "i",
    "f": "f",
    "B": "B",
    "I": "I",
    "H": "H",
    "e": "i",
    "b": "b",
}
SCALES = {"c": 100.0, "C": 100.0, "L": 1e7, "e": 100.0}


class DataflashWriter:
    """`add("ATT", TimeUS=..., ...)` for every message; labels left out are 0."""

    def __init__(self) -> None:
        parts = [self._fmt(FMT_TYPE, "FMT", "BBnNZ", "Type,Length,Name,Format,Columns", 89)]
        for name, (number, form, labels) in FORMATS.items():
            length = 3 + struct.calcsize("<" + "".join(CODES[c] for c in form))
            parts.append(self._fmt(number, name, form, labels, length))
        self.data = bytearray(b"".join(parts))

    def add(self, kind: str, **values: float) -> None:
        number, form, labels = FORMATS[kind]
        packed = []
        for code, label in zip(form, labels.split(","), strict=True):
            value = values.pop(label, 0)
            scaled = value * SCALES.get(code, 1.0)
            packed.append(float(scaled) if code == "f" else round(scaled))
        assert not values, f"{kind} has no {', '.join(values)}"
        layout = "<" + "".join(CODES[c] for c in form)
        self.data += HEAD + bytes([number]) + struct.pack(layout, *packed)

    def write(self, path: Path) -> Path:
        path.write_bytes(bytes(self.data))
        return path

    @staticmethod
    def _fmt(number: int, name: str, form: str, labels: str, length: int) -> bytes:
        fields = (number, length, name.encode(), form.encode(), labels.encode())
        return HEAD + bytes([FMT_TYPE]) + struct.pack("<BB4s16s64s", *fields)
