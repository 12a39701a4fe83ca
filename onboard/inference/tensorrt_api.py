"""TensorRT as far as it is used: importing it, its log, and the names that must be there.

The names exist from 8.6 (JetPack 6.0) over 10.3 (JetPack 6.2) to 11.4; a test checks them on
whatever bindings can be imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from onboard.errors import InputError
from onboard.inference.gpu import first_gpu

RUNTIME_NAMES = {
    "": ("__version__", "nptype"),
    "ILogger": ("log",),
    "Runtime": ("deserialize_cuda_engine",),
    "ICudaEngine": (
        "create_execution_context",
        "get_tensor_dtype",
        "get_tensor_mode",
        "get_tensor_name",
        "get_tensor_profile_shape",
        "get_tensor_shape",
        "num_io_tensors",
    ),
    "IExecutionContext": (
        "device_memory",
        "execute_async_v3",
        "get_tensor_shape",
        "set_input_shape",
        "set_tensor_address",
    ),
    "TensorIOMode": ("INPUT", "OUTPUT"),
}
# Of each pair the first where it exists: what 10 and 11 renamed.
RENAMED = {
    "ICudaEngine": (
        ("device_memory_size_v2", "device_memory_size"),
        # 10 has the strategy USER_MANAGED instead.
        ("create_execution_context", "create_execution_context_without_device_memory"),
    )
}
HOW_TO_GET = (
    "on a Jetson it comes with JetPack (sudo apt install python3-libnvinfer, and a virtual "
    "environment made with --system-site-packages); elsewhere follow NVIDIA's installation guide"
)


def import_tensorrt() -> Any:
    """The module. Raises InputError: no GPU or driver, TensorRT missing, broken or too old."""
    first_gpu()  # TensorRT's Runtime would take the process down
    try:
        trt = importlib.import_module("tensorrt")
    except (ImportError, OSError) as e:
        raise InputError(f"TensorRT can't be imported ({e}); {HOW_TO_GET}") from e
    if missing := missing_names(trt, RUNTIME_NAMES):
        raise InputError(
            f"TensorRT {getattr(trt, '__version__', '?')} has no {missing[0]}; "
            "use one from 8.6 to 11"
        )
    return trt


def missing_names(trt: Any, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Of a table class -> attributes ('' for the module's own), those that are not there."""
    missing = []
    for owner, attributes in names.items():
        holder = getattr(trt, owner, None) if owner else trt
        missing += [
            f"{owner}.{a}".lstrip(".")
            for a in attributes
            if holder is None or not hasattr(holder, a)
        ]
    return missing


def make_log(trt: Any) -> Any:
    """An ILogger that prints nothing and keeps its latest error in `error`."""

    class Log(trt.ILogger):  # type: ignore[misc]  # the base is known at run time only
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.error = ""

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.error = " ".join(message.split())

    return Log()
