"""Which GPU there is, asked of the driver alone.

TensorRT's Runtime is a segmentation fault and pycuda can't be imported where there is no
driver: everything that wants a GPU asks here first.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import lru_cache

from onboard.errors import InputError

DRIVER_LIBRARY = "libcuda.so.1"
NAME_BYTES = 256
# CUdevice_attribute values of cuda.h
COMPUTE_CAPABILITY_MAJOR = 75
COMPUTE_CAPABILITY_MINOR = 76


@dataclass(frozen=True)
class Gpu:
    """The first device. compute_capability as '8.7'; driver: the CUDA version it speaks, '12.6'."""

    name: str
    compute_capability: str
    driver: str

    @property
    def slug(self) -> str:
        """The name as a part of a file name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@lru_cache(maxsize=1)
def driver_library() -> ctypes.CDLL:
    """libcuda, initialised. Raises InputError: no driver, or one that can't start."""
    try:
        library = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError as e:
        raise InputError(
            f"no GPU can be used: NVIDIA's driver library {DRIVER_LIBRARY} is not installed; "
            "install the driver (on a Jetson: JetPack), or fly with the backend onnxruntime-cpu"
        ) from e
    if code := library.cuInit(0):
        raise InputError(
            f"no GPU can be used: NVIDIA's driver answers {error_name(library, code)}; check it "
            "with nvidia-smi, or fly with the backend onnxruntime-cpu"
        )
    return library


@lru_cache(maxsize=1)
def first_gpu() -> Gpu:
    """Raises InputError: no driver, no device."""
    library = driver_library()
    count = ctypes.c_int()
    _ask(library, "cuDeviceGetCount", ctypes.byref(count))
    if not count.value:
        raise InputError(
            "no GPU can be used: the driver sees none; fly with the backend onnxruntime-cpu"
        )
    device, name = ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES)
    version, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    _ask(library, "cuDeviceGet", ctypes.byref(device), 0)
    _ask(library, "cuDeviceGetName", name, NAME_BYTES, device)
    _ask(library, "cuDeviceGetAttribute", ctypes.byref(major), COMPUTE_CAPABILITY_MAJOR, device)
    _ask(library, "cuDeviceGetAttribute", ctypes.byref(minor), COMPUTE_CAPABILITY_MINOR, device)
    _ask(library, "cuDriverGetVersion", ctypes.byref(version))
    thousands, rest = divmod(version.value, 1000)
    return Gpu(
        name=name.value.decode("utf-8", "replace"),
        compute_capability=f"{major.value}.{minor.value}",
        driver=f"{thousands}.{rest // 10}",
    )


def error_name(library: ctypes.CDLL, code: int) -> str:
    """CUDA_ERROR_NO_DEVICE and the like."""
    name = ctypes.c_char_p()
    if library.cuGetErrorName(code, ctypes.byref(name)) or not name.value:
        return f"error {code}"
    return name.value.decode("ascii", "replace")


def _ask(library: ctypes.CDLL, function: str, *arguments: object) -> None:
    if code := getattr(library, function)(*arguments):
        raise InputError(
            f"no GPU can be used: {function} answers {error_name(library, code)}; check the "
            "driver with nvidia-smi, or fly with the backend onnxruntime-cpu"
        )
