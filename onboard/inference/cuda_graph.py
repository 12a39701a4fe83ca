"""A CUDA graph: work that a stream was given once, recorded and launched as one call.

pycuda does not wrap graphs, so these are the driver's own functions.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

from onboard.errors import BackendError
from onboard.inference.gpu import driver_library, error_name

THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads' calls don't spoil it
_HANDLE = ctypes.c_void_p


class CudaGraph:
    """Captures what `enqueue` puts on the stream. Only with a current context.

    Raises BackendError when the work can't be captured; the stream is usable afterwards.
    """

    def __init__(self, stream_handle: int, enqueue: Callable[[], None]) -> None:
        self._library = driver_library()
        self._stream = _HANDLE(stream_handle)
        self._executable = _HANDLE()
        graph = _HANDLE()
        self._call("cuStreamBeginCapture_v2", self._stream, THREAD_LOCAL)
        try:
            enqueue()
        finally:
            ended = self._library.cuStreamEndCapture(self._stream, ctypes.byref(graph))
        self._check("cuStreamEndCapture", ended)
        try:
            self._call(
                "cuGraphInstantiateWithFlags",
                ctypes.byref(self._executable),
                graph,
                ctypes.c_ulonglong(0),
            )
        finally:
            self._library.cuGraphDestroy(graph)

    def launch(self) -> None:
        """Enqueues the recorded work on its stream."""
        self._call("cuGraphLaunch", self._executable, self._stream)

    def free(self) -> None:
        """Once, with a current context."""
        self._library.cuGraphExecDestroy(self._executable)

    def _call(self, function: str, *arguments: object) -> None:
        self._check(function, getattr(self._library, function)(*arguments))

    def _check(self, function: str, code: int) -> None:
        if code:
            raise BackendError(f"{function} failed: {error_name(self._library, code)}")
