"""A flight over the procedural world as the events that a real one hands to the navigator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from maps.world.epoch import Epoch
from maps.world.landscape import Landscape
from maps.world.perspective import render_perspective
from onboard.camera import Camera
from onboard.messages import Event, Frame
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.simulated_vehicle import Trajectory
from tools.truth import Track, track_of

ATTITUDE_NS, HEIGHT_NS, GNSS_NS = 50_000_000, 200_000_000, 200_000_000
ATTITUDE_SIGMA = math.radians(0.4)
YAW_SIGMA = math.radians(1.0)
HEIGHT_SIGMA_M, HEIGHT_BIAS_M = 1.0, 2.0  # a barometer that was set on the runway
GNSS_SIGMA_M = 1.2
EXPOSURE_S = 0.002
JPEG_QUALITY = 88
RENDERED_AHEAD = 4  # frames made by a thread of their own while the navigator works


@dataclass(frozen=True)
class SimulatedFlight:
    """altitude_m: above the landscape's lowest ground; the height above ground varies with
    the relief. datum_m: that lowest ground above mean sea level. gnss_lost_ns: when the
    receiver is taken away."""

    landscape: Landscape
    epoch: Epoch
    camera: Camera
    trajectory: Trajectory
    altitude_m: float
    datum_m: float
    gnss_lost_ns: int
    frame_ns: int = 1_000_000_000
    seed: int = 1

    def truth(self) -> Track:
        """Where the vehicle really was."""
        t = self.trajectory
        samples = zip(t.time_ns.tolist(), t.east_m.tolist(), t.north_m.tolist(), strict=True)
        return track_of([(ns, *self.landscape.latlon(e, n)) for ns, e, n in samples])

    def frame_times(self) -> list[int]:
        times = self.trajectory.time_ns
        return list(range(int(times[0]) + self.frame_ns, int(times[-1]), self.frame_ns))

    def events(self) -> Iterator[Event]:
        """In time order; frames are rendered as they are needed."""
        sensors = self._sensor_events()
        pending = next(sensors, None)
        times = self.frame_times()
        with ThreadPoolExecutor(1) as renderer:
            ahead: list[Future[Frame]] = []
            for k, time_ns in enumerate(times):
                while len(ahead) < RENDERED_AHEAD and k + len(ahead) < len(times):
                    ahead.append(renderer.submit(self.frame, times[k + len(ahead)]))
                while pending is not None and pending.time_ns <= time_ns:
                    yield pending
                    pending = next(sensors, None)
                yield ahead.pop(0).result()
        while pending is not None:
            yield pending
            pending = next(sensors, None)

    def frame(self, time_ns: int) -> Frame:
        """What the camera sees at a moment."""
        east, north, roll, pitch, yaw = self.trajectory.at(time_ns)
        k = int(np.searchsorted(self.trajectory.time_ns, time_ns)) - 1
        velocity = self.trajectory.velocity_m_s[max(k, 0)]
        image = render_perspective(
            self.landscape,
            self.epoch,
            self.camera,
            Attitude(time_ns, roll, pitch, yaw),
            east,
            north,
            self._agl_m(east, north),
            blur_m=(float(velocity[0]) * EXPOSURE_S, float(velocity[1]) * EXPOSURE_S),
            jpeg_quality=JPEG_QUALITY,
        )
        return Frame(time_ns, image, name=f"frame-{time_ns / 1e9:07.2f}s")

    def _agl_m(self, east: float, north: float) -> float:
        return self.altitude_m - self.landscape.ground_m(east, north)

    def _sensor_events(self) -> Iterator[Event]:
        rng = np.random.default_rng([self.seed, 0x5E])
        start, end = int(self.trajectory.time_ns[0]), int(self.trajectory.time_ns[-1])
        for time_ns in range(start, end + 1, ATTITUDE_NS):
            east, north, roll, pitch, yaw = self.trajectory.at(time_ns)
            error = rng.normal(0, (ATTITUDE_SIGMA, ATTITUDE_SIGMA, YAW_SIGMA))
            yield Attitude(time_ns, roll + error[0], pitch + error[1], yaw + error[2])
            if (time_ns - start) % HEIGHT_NS == 0:
                yield Height(
                    time_ns,
                    agl_m=self._agl_m(east, north) + HEIGHT_BIAS_M + rng.normal(0, HEIGHT_SIGMA_M),
                    amsl_m=self.datum_m + self.altitude_m + HEIGHT_BIAS_M,
                    sigma_m=3.0,
                )
            if (time_ns - start) % GNSS_NS == 0:
                off = rng.normal(0, GNSS_SIGMA_M, 2)
                lat, lon = self.landscape.latlon(east + off[0], north + off[1])
                yield Gnss(time_ns, lat, lon, GNSS_SIGMA_M, has_fix=time_ns < self.gnss_lost_ns)
