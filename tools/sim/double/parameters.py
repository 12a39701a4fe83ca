"""The autopilot's parameters that matter to a position fallback, as ArduPilot 4.7 has them.

Values are those that Copter 4.7.0-dev's SITL reports with its default parameter file (asked of
it on 21 November 2026); the storage types are MAV_PARAM_TYPE.
"""

from __future__ import annotations

from collections.abc import Iterator

INT8, INT16, INT32, REAL32 = 2, 4, 6, 9
LARGEST = {INT8: 127, INT16: 32767, INT32: 2**31 - 1}

_COMMON: dict[str, tuple[float, int]] = {
    "AHRS_EKF_TYPE": (3, INT8),
    "ARMING_CHECK": (1, INT32),
    "COMPASS_USE": (1, INT8),
    "EK3_AFFINITY": (0, INT32),
    "EK3_DRAG_BCOEF_X": (0, REAL32),
    "EK3_DRAG_BCOEF_Y": (0, REAL32),
    "EK3_DRAG_MCOEF": (0, REAL32),
    "EK3_ENABLE": (1, INT8),
    "EK3_GLITCH_RAD": (25, INT8),
    "EK3_GPS_CHECK": (31, INT8),
    "EK3_IMU_MASK": (3, INT8),
    "EK3_OPTIONS": (0, INT32),
    "EK3_POSNE_M_NSE": (0.5, REAL32),
    "EK3_POS_I_GATE": (500, INT16),
    "EK3_PRIMARY": (0, INT8),
    "EK3_SRC1_POSXY": (3, INT8),
    "EK3_SRC1_POSZ": (1, INT8),
    "EK3_SRC1_VELXY": (3, INT8),
    "EK3_SRC1_VELZ": (3, INT8),
    "EK3_SRC1_YAW": (1, INT8),
    "EK3_SRC2_POSXY": (0, INT8),
    "EK3_SRC2_POSZ": (1, INT8),
    "EK3_SRC2_VELXY": (0, INT8),
    "EK3_SRC2_VELZ": (0, INT8),
    "EK3_SRC2_YAW": (0, INT8),
    "EK3_SRC3_POSXY": (0, INT8),
    "EK3_SRC3_POSZ": (1, INT8),
    "EK3_SRC3_VELXY": (0, INT8),
    "EK3_SRC3_VELZ": (0, INT8),
    "EK3_SRC3_YAW": (0, INT8),
    "EK3_SRC_OPTIONS": (0, INT16),
    "EK3_VELNE_M_NSE": (0.3, REAL32),
    "EK3_VEL_I_GATE": (500, INT16),
    "GPS1_DELAY_MS": (0, INT16),
    "GPS1_RATE_MS": (200, INT16),
    "GPS1_TYPE": (1, INT8),
    "GPS2_DELAY_MS": (0, INT16),
    "GPS2_RATE_MS": (200, INT16),
    "GPS2_TYPE": (0, INT8),
    "GPS_AUTO_SWITCH": (1, INT8),
    "GPS_BLEND_MASK": (5, INT8),
    "GPS_PRIMARY": (0, INT8),
    "MAV_GCS_SYSID": (255, INT16),
    "MAV_OPTIONS": (0, INT16),
    "MAV_SYSID": (1, INT16),
    "SCHED_LOOP_RATE": (400, INT16),
    "SERIAL0_PROTOCOL": (2, INT8),
    "SERIAL1_PROTOCOL": (2, INT8),
    "SERIAL2_PROTOCOL": (2, INT8),
    "SIM_GPS1_ACC": (0.3, REAL32),
    "SIM_GPS1_ENABLE": (1, INT8),
    "SIM_GPS1_GLTCH_X": (0, REAL32),
    "SIM_GPS1_GLTCH_Y": (0, REAL32),
    "SIM_GPS1_GLTCH_Z": (0, REAL32),
    "SIM_GPS1_HZ": (5, INT8),
    "SIM_GPS1_JAM": (0, INT8),
    "SIM_GPS1_LAG_MS": (100, INT16),
    "SIM_GPS1_NOISE": (0, REAL32),
    "SIM_GPS1_NUMSATS": (10, INT8),
    "SIM_GPS1_TYPE": (1, INT8),
    "SIM_GPS1_VERR_X": (0, REAL32),
    "SIM_GPS1_VERR_Y": (0, REAL32),
    "SIM_GPS2_ENABLE": (0, INT8),
    "SIM_SPEEDUP": (1, REAL32),
    "SIM_WIND_DIR": (180, REAL32),
    "SIM_WIND_SPD": (0, REAL32),
    "SIM_WIND_TURB": (0, REAL32),
    "VISO_DELAY_MS": (10, INT16),
    "VISO_POS_M_NSE": (0.2, REAL32),
    "VISO_QUAL_MIN": (0, INT8),
    "VISO_TYPE": (0, INT8),
    "VISO_VEL_M_NSE": (0.1, REAL32),
}
_COPTER: dict[str, tuple[float, int]] = {
    "FRAME_CLASS": (1, INT8),
    "FS_DR_ENABLE": (2, INT8),
    "FS_EKF_ACTION": (1, INT8),
    "FS_EKF_FILT": (5, REAL32),
    "FS_EKF_THRESH": (0.8, REAL32),
    "FS_GCS_ENABLE": (0, INT8),
    "GUID_TIMEOUT": (3, REAL32),
    "LAND_SPEED": (50, INT16),
    "RTL_ALT": (1500, INT32),
    "WPNAV_RADIUS": (200, REAL32),
    "WPNAV_SPEED": (1000, REAL32),
}
_PLANE: dict[str, tuple[float, int]] = {
    "AIRSPEED_CRUISE": (16, REAL32),
    "ARSPD_TYPE": (2, INT8),
    "ARSPD_USE": (1, INT8),
    "RTL_ALTITUDE": (100, REAL32),
    "TKOFF_ALT": (50, REAL32),
    "WP_LOITER_RAD": (80, INT16),
    "WP_RADIUS": (90, INT16),
}
READ_AT_BOOT = frozenset({"GPS2_TYPE", "VISO_TYPE", "MAV_SYSID"})  # else without effect


class Parameters:
    """Values by name. They outlast a reboot; those of READ_AT_BOOT act from the next one on."""

    def __init__(self, plane: bool = False, changed: dict[str, float] | None = None) -> None:
        """changed: differing from the defaults, as a parameter file would. Raises KeyError."""
        table = dict(sorted((_COMMON | (_PLANE if plane else _COPTER)).items()))
        self._types = {name: kind for name, (_, kind) in table.items()}
        self._values = {name: float(value) for name, (value, _) in table.items()}
        for name, value in (changed or {}).items():
            self._values[name]
            self.set(name, value)
        self._at_boot: dict[str, float] = {}
        self.boot()

    def boot(self) -> None:
        """What is only read then."""
        self._at_boot = {name: self._values[name] for name in READ_AT_BOOT}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __getitem__(self, name: str) -> float:
        """As set, whether or not it has taken effect."""
        return self._values[name]

    def acting(self, name: str) -> float:
        """The value that the autopilot works with."""
        return self._at_boot.get(name, self._values[name])

    def storage_type(self, name: str) -> int:
        """MAV_PARAM_TYPE."""
        return self._types[name]

    def set(self, name: str, value: float) -> None:
        """Rounded and clipped as its type stores it."""
        limit = LARGEST.get(self._types[name])
        if limit is not None:
            value = float(min(max(round(value), -limit - 1), limit))
        self._values[name] = float(value)
