"""What a simulated camera looks at."""

from __future__ import annotations

from typing import Protocol

from onboard.camera import Camera
from onboard.messages import Picture
from onboard.telemetry_messages import Attitude


class Scene(Protocol):
    """bounds: south, west, north, east in degrees; beyond them there is nothing to recognise."""

    bounds: tuple[float, float, float, float]

    def ground_amsl_m(self, lat_deg: float, lon_deg: float) -> float:
        """Height of the ground above mean sea level, without trees and buildings."""

    def picture(
        self,
        lat_deg: float,
        lon_deg: float,
        amsl_m: float,
        attitude: Attitude,
        camera: Camera,
        velocity_m_s: tuple[float, float] = (0.0, 0.0),
        light: float = 1.0,
    ) -> Picture:
        """(height_px, width_px, 3) BGR as the camera there sees it at attitude.time_ns.

        velocity_m_s: (north, east), for the blur of motion. light: share of the light left.
        The same arguments give the same picture.
        """
