"""What a recording begins with: all that the flight was made of, but the map and the network,
which are named by their hashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from onboard.camera import Camera
from onboard.cameras.address import parse_address
from onboard.describe import Describer
from onboard.flight_settings import FlightSettings
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import MANIFEST_NAME
from onboard.recording.table_json import table_of

FORMAT = 1


def start_table(
    settings: FlightSettings,
    camera: Camera,
    pack: MapPack,
    describer: Describer,
    utc_minus_clock_ns: int | None,
    takeover_state: str = "",
) -> dict[str, Any]:
    """takeover_state: the text of the takeover's state file as the flight found it."""
    table: dict[str, Any] = {
        "format": FORMAT,
        "pilotage": _version(),
        "settings": table_of(without_password(settings)),
        "camera": table_of(camera),
        "map_path": str(pack.path),
        "manifest_sha256": manifest_sha256(pack.path),
        "model_id": describer.bundle.id,
        "model_sha256": describer.bundle.sha256,
        "runs_on": describer.network.runs_on,
        "takeover_state": takeover_state,
    }
    if utc_minus_clock_ns is not None:
        table["utc_minus_clock_ns"] = utc_minus_clock_ns
    return table


def without_password(settings: FlightSettings) -> FlightSettings:
    """A stream's password has no business in a file that is handed on."""
    return replace(settings, camera=parse_address(settings.camera).name)


def manifest_sha256(pack: Path) -> str:
    """Names a map pack: its manifest names every file by its hash."""
    return hashlib.sha256((pack / MANIFEST_NAME).read_bytes()).hexdigest()


def _version() -> str:
    try:
        return version("pilotage")
    except PackageNotFoundError:
        return "unknown"
