"""Writes small ULog files as PX4 does: formats, subscriptions, then data."""

from __future__ import annotations

import math
import struct

HEADER = b"ULog\x01\x12\x35\x01"
CODES = {"uint64_t": "Q", "float": "f", "double": "d", "uint8_t": "B", "bool": "?", "int32_t": "i"}
TOPICS = {
    "vehicle_attitude": "uint64_t timestamp;float[4] q",
    "vehicle_local_position": (
        "uint64_t timestamp;float z;float ref_alt;float dist_bottom;bool z_valid;bool z_global;"
        "bool dist_bottom_valid"
    ),
    "sensor_gps": (
        "uint64_t timestamp;double latitude_deg;double longitude_deg;double altitude_msl_m;"
        "uint64_t time_utc_usec;float eph;float s_variance_m_s;float vel_n_m_s;float vel_e_m_s;"
        "uint8_t fix_type;uint8_t satellites_used;bool vel_ned_valid"
    ),
    "vehicle_gps_position": (  # before PX4 1.14
        "uint64_t timestamp;uint64_t time_utc_usec;int32_t lat;int32_t lon;int32_t alt;float eph;"
        "float s_variance_m_s;float vel_n_m_s;float vel_e_m_s;uint8_t fix_type;"
        "uint8_t satellites_used;bool vel_ned_valid"
    ),
    "wind": "uint64_t timestamp;float windspeed_north;float windspeed_east",
    "airspeed_validated": "uint64_t timestamp;float true_airspeed_m_s",
    "camera_capture": "uint64_t timestamp;double lat;double lon",
}


class UlogWriter:
    """`add("vehicle_attitude", timestamp=..., q=(1, 0, 0, 0))`; fields left out are 0."""

    def __init__(self, topics: tuple[str, ...]) -> None:
        self._numbers = {name: i for i, name in enumerate(topics)}
        self.data = bytearray(HEADER + struct.pack("<Q", 0))
        for name in topics:
            self._message(b"F", f"{name}:{TOPICS[name]};".encode())
        for name, number in self._numbers.items():
            self._message(b"A", struct.pack("<BH", 0, number) + name.encode())

    def add(self, topic: str, **values: float | tuple[float, ...]) -> None:
        packed = struct.pack("<H", self._numbers[topic])
        for field in TOPICS[topic].split(";"):
            kind, name = field.split(" ")
            value = values.pop(name, 0)
            if kind.endswith("]"):
                assert isinstance(value, tuple)
                packed += struct.pack(f"<{len(value)}f", *value)
            else:
                packed += struct.pack(f"<{CODES[kind]}", value)
        assert not values, f"{topic} has no {', '.join(values)}"
        self._message(b"D", packed)

    def _message(self, kind: bytes, content: bytes) -> None:
        self.data += struct.pack("<H", len(content)) + kind + content


def small_ulog(old: bool = False) -> bytes:
    """Four seconds to the east at 10 m/s, nose east; old: PX4's former receiver message."""
    receiver = "vehicle_gps_position" if old else "sensor_gps"
    others = tuple(name for name in TOPICS if "gps" not in name)
    log = UlogWriter((receiver, *others))
    for i in range(40):
        us = 7_000_000 + i * 100_000
        log.add("vehicle_attitude", timestamp=us, q=(math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)))
        log.add("vehicle_local_position", timestamp=us, z=-100.0, ref_alt=420.0, z_valid=True,
                z_global=True, dist_bottom=98.0, dist_bottom_valid=i % 2 == 1)  # fmt: skip
        lat, lon, amsl_m = 47.2, 8.5 + i * 1.3e-5, 520.0
        place = (
            {"lat": round(lat * 1e7), "lon": round(lon * 1e7), "alt": round(amsl_m * 1e3)}
            if old
            else {"latitude_deg": lat, "longitude_deg": lon, "altitude_msl_m": amsl_m}
        )
        log.add(receiver, timestamp=us, time_utc_usec=1_700_000_000_000_000 + us, eph=0.9,
                s_variance_m_s=0.3, vel_e_m_s=10.0, fix_type=3 if i else 1, satellites_used=14,
                vel_ned_valid=True, **place)  # fmt: skip
        log.add("airspeed_validated", timestamp=us, true_airspeed_m_s=13.0)
        log.add("wind", timestamp=us + 10, windspeed_north=3.0, windspeed_east=-2.0)
    for seconds in (8, 9, 10):
        log.add("camera_capture", timestamp=seconds * 1_000_000, lat=47.2, lon=8.5)
    return bytes(log.data)
