"""CUDA through pycuda: the context, pinned host memory and device memory.

Every call pushes the device's primary context and pops it again, so that any thread may
call, beside ONNX Runtime and TensorRT, which use the same context. A CUDA call that fails
becomes a BackendError.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from onboard.errors import BackendError, InputError
from onboard.inference.contract import Tensor
from onboard.inference.gpu import first_gpu

NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING: no waiting for the legacy default stream


class CudaDevice:
    """The first GPU. Get it from `cuda_device`."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        try:
            self._context = driver.Device(0).retain_primary_context()
        except driver.Error as e:
            raise BackendError(f"CUDA context: {e}") from e
        self._closers: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Makes the context the calling thread's. Raises BackendError for what CUDA refuses."""
        if self._closed:
            raise BackendError("the CUDA context is closed")
        try:
            self._context.push()
            try:
                yield
            finally:
                self._context.pop()
        except self._driver.Error as e:
            raise BackendError(str(e)) from e

    def stream(self) -> Any:
        """A new stream; `handle` is its address. Only inside `current`."""
        return self._driver.Stream(NON_BLOCKING)

    def buffer(self, size_bytes: int) -> Buffer:
        """Pinned host memory and as much device memory. Only inside `current`."""
        return Buffer(self._driver, size_bytes)

    def device_memory(self, size_bytes: int) -> Any:
        """Device memory alone; int() of it is its address. Only inside `current`."""
        return self._driver.mem_alloc(max(1, size_bytes))

    def before_close(self, closer: Callable[[], None]) -> None:
        """Registers what must be given back while the context still lives."""
        with self._lock:
            self._closers.append(closer)

    def close(self) -> None:
        """Closes what was registered, newest first, then the context. Runs at exit."""
        with self._lock:
            closers, self._closers = self._closers, []
        for closer in reversed(closers):
            closer()
        if not self._closed:
            self._closed = True
            with contextlib.suppress(self._driver.Error):
                self._context.detach()


class Buffer:
    """The same bytes twice: `host` (uint8, pinned) and on the device, at `address`."""

    def __init__(self, driver: Any, size_bytes: int) -> None:
        self._driver = driver
        pinned = driver.pagelocked_empty(max(1, size_bytes), np.uint8)
        self.host: Tensor = pinned
        self._pages: Any = pinned.base
        self._device = driver.mem_alloc(max(1, size_bytes))

    @property
    def address(self) -> int:
        return int(self._device)

    def to_device(self, size_bytes: int, stream: Any) -> None:
        """Enqueues the copy of the first bytes."""
        self._driver.memcpy_htod_async(self.address, self.host[:size_bytes], stream)

    def to_host(self, size_bytes: int, stream: Any) -> None:
        """Enqueues the copy of the first bytes."""
        self._driver.memcpy_dtoh_async(self.host[:size_bytes], self.address, stream)

    def free(self) -> None:
        """Only inside `current`, and once."""
        self._device.free()
        self._pages.free()


@lru_cache(maxsize=1)
def cuda_device() -> CudaDevice:
    """The one device of this process.

    Raises InputError: no GPU or driver, no pycuda; BackendError: CUDA can't start.
    """
    first_gpu()  # without a driver pycuda can't be imported
    try:
        import pycuda.driver as driver
    except ImportError as e:
        raise InputError(
            f"pycuda can't be imported ({e}), which the tensorrt backend needs; install it with "
            "'pip install pycuda' where nvcc is on the PATH, or set the backend to "
            "onnxruntime-cpu"
        ) from e
    try:
        driver.init()
    except driver.Error as e:
        raise BackendError(f"pycuda: {e}") from e
    device = CudaDevice(driver)
    atexit.register(device.close)
    return device
