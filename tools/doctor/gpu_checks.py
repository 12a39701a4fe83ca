"""GPU, TensorRT and the engines built for them."""

from __future__ import annotations

import importlib.util

from onboard.errors import InputError
from onboard.inference import Backend
from onboard.inference.engine_files import fitting_engines, has_engines
from onboard.inference.engine_record import read_record
from onboard.inference.engine_stamp import read_engine
from onboard.inference.gpu import Gpu, first_gpu
from onboard.inference.tensorrt_api import import_tensorrt
from tools.doctor.check import Check, Finding, NotAsked, failure, from_error, good, warning
from tools.doctor.subject import Subject

ON_GPU = (Backend.TENSORRT, Backend.ONNXRUNTIME_CUDA, Backend.ONNXRUNTIME_TENSORRT)


def gpu(subject: Subject) -> Finding:
    try:
        found = first_gpu()
    except InputError as e:
        finding = from_error(e)
        if wanted(subject) in ON_GPU:
            return finding
        return good("no GPU: the network runs on the CPU")
    capability, driver = found.compute_capability, found.driver
    return good(f"{found.name}, compute capability {capability}, driver for CUDA {driver}")


def tensorrt(subject: Subject) -> Finding:
    device_or_not_asked()
    try:
        return good(f"TensorRT {import_tensorrt().__version__}")
    except InputError as e:
        finding = from_error(e)
        if wanted(subject) is Backend.TENSORRT:
            return finding
        return warning(finding.said, finding.mend)


def pycuda(subject: Subject) -> Finding:
    """Native engines hold their memory through it."""
    device_or_not_asked()
    if importlib.util.find_spec("pycuda") is not None:
        return good("pycuda is installed")
    make = failure if wanted(subject) is Backend.TENSORRT else warning
    return make("pycuda is not installed, native engines can't run", "pip install pycuda")


def engines(subject: Subject) -> Finding:
    """Stamp and hash; whether one answers rightly, `model.self_test` finds out."""
    device = device_or_not_asked()
    bundle = subject.bundle.needed()
    build = f"pilotage export engine {bundle.path} --precision fp16"
    if not has_engines(bundle):
        make = failure if wanted(subject) is Backend.TENSORRT else warning
        return make(f"{bundle.id} has no engine for {device.name}", build)
    try:
        version = str(import_tensorrt().__version__)
        files = fitting_engines(bundle, device, version, read_record())
        for file in files.values():
            read_engine(file.path, file.stamp)
    except InputError as e:
        finding = from_error(e)
        make = failure if wanted(subject) is Backend.TENSORRT else warning
        return make(finding.said, build)
    precision = files["model.onnx"].stamp.precision
    return good(f"{len(files)} engines in {precision}, built here for {device.name}")


def wanted(subject: Subject) -> Backend:
    """The backend that the settings ask for."""
    if subject.settings_path is None:
        return Backend.AUTO
    return subject.settings.needed().inference.backend


def device_or_not_asked() -> Gpu:
    try:
        return first_gpu()
    except InputError as e:
        raise NotAsked("there is no GPU") from e


CHECKS = (
    Check("gpu.driver", gpu),
    Check("gpu.tensorrt", tensorrt),
    Check("gpu.pycuda", pycuda),
    Check("gpu.engines", engines),
)
