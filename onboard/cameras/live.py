"""A camera with a thread of its own: the newest frame wins, and what was unplugged comes back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from onboard.camera import Camera
from onboard.cameras.contract import CameraHealth, Timing
from onboard.cameras.device import CameraLost, Device
from onboard.cameras.exposure_clock import ExposureClock
from onboard.messages import Frame

FIRST_WAIT_S = 0.2  # before a lost camera is opened again, doubled up to:
LONGEST_WAIT_S = 3.0
SILENT_AFTER_S = 2.0  # without a frame for this long something is wrong
# A frame this part of the period early still counts as due, so that a camera that runs at the
# wanted rate itself loses none to its jitter.
EARLY_SHARE = 0.25
JOIN_S = 2.0  # a thread that hangs in a driver is left behind


class LiveCamera:
    """Implements `contract.FrameSource` over one kind of device."""

    def __init__(
        self,
        name: str,
        open_device: Callable[[], Device],
        frame_hz: float,
        *,
        camera: Camera | None = None,
        latency_ns: int | None = None,
        comes_back: bool = True,
    ) -> None:
        """open_device raises CameraLost. camera: whose picture size is expected. comes_back
        False: a file, which ends."""
        self._name = name
        self._open_device = open_device
        self._period_ns = round(1e9 / frame_hz)
        self._camera = camera
        self._latency_ns = latency_ns
        self._comes_back = comes_back
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._health = CameraHealth()
        self._wrong_size = ""
        self._heard_ns = time.monotonic_ns()
        self._ended = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self._thread.start()

    def newest(self, timeout_s: float) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._ended, timeout_s)
            frame, self._frame = self._frame, None
            return frame

    @property
    def ended(self) -> bool:
        with self._changed:
            return self._ended and self._frame is None

    def health(self) -> CameraHealth:
        with self._changed:
            health, silent_s = self._health, (time.monotonic_ns() - self._heard_ns) * 1e-9
            if not health.problem and self._wrong_size:
                return replace(health, problem=self._wrong_size)
            if not health.problem and self._comes_back and silent_s > SILENT_AFTER_S:
                problem = f"{self._name}: no frame for {silent_s:.0f} s; see to cable and sender"
                return replace(health, problem=problem)
            return health

    def close(self) -> None:
        self._stop.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        connections = 0
        while not self._stop.is_set():
            frames_before = self._health.frames
            try:
                device = self._open_device()
                connections += 1
                self._update(reconnects=max(0, connections - 1))
                try:
                    self._read(device)
                finally:
                    device.close()
                problem = f"{self._name}: gives no more frames; see to cable and sender"
            except CameraLost as e:
                problem = str(e)
            except Exception as e:  # whatever a driver raises, the flight goes on without it
                problem = f"{self._name}: failed ({type(e).__name__}: {e}); see to the camera"
            if not self._comes_back:
                break
            self._update(problem=problem)
            came = self._health.frames > frames_before
            wait_s = FIRST_WAIT_S if came else min(2 * wait_s, LONGEST_WAIT_S)
            self._stop.wait(wait_s)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read(self, device: Device) -> None:
        """Until the device gives nothing more. Every frame is taken off the driver's queue, only
        those that are due are decoded."""
        clock = ExposureClock(device.timing, self._latency_ns)
        due_ns: int | None = None
        while not self._stop.is_set() and device.grab():
            arrival_ns = time.monotonic_ns()
            self._heard_ns = arrival_ns
            exposure_ns = clock.exposure_ns(arrival_ns, device.stamp_ns())
            if due_ns is not None and exposure_ns < due_ns - EARLY_SHARE * self._period_ns:
                continue
            late = due_ns is None or exposure_ns > due_ns + self._period_ns
            due_ns = (exposure_ns if late or due_ns is None else due_ns) + self._period_ns
            self._keep(device, exposure_ns, clock.timing)

    def _keep(self, device: Device, exposure_ns: int, timing: Timing) -> None:
        image = device.picture()
        if image is not None:
            self._wrong_size = self._size_problem(image.shape[1], image.shape[0])
        with self._changed:
            number = self._health.frames
            name = device.picture_name() or f"frame {number}"
            dropped = self._health.dropped + (self._frame is not None)
            self._frame = Frame(exposure_ns, image, name, self._name)
            self._health = replace(
                self._health, frames=number + 1, dropped=dropped, problem="", timing=timing
            )
            self._changed.notify_all()

    def _size_problem(self, width_px: int, height_px: int) -> str:
        try:
            if self._camera is not None:
                self._camera.for_size(width_px, height_px)
        except ValueError as e:
            return f"{self._name}: {e}"
        return ""

    def _update(self, *, problem: str | None = None, reconnects: int | None = None) -> None:
        with self._changed:
            health = self._health
            self._health = replace(
                health,
                problem=health.problem if problem is None else problem,
                reconnects=health.reconnects if reconnects is None else reconnects,
            )
