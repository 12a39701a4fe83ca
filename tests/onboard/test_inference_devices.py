"""What a machine without a GPU is told, and the names that TensorRT's bindings must have."""

from __future__ import annotations

import numpy as np
import pytest

from onboard.errors import BackendError, InputError
from onboard.inference import Backend, Network
from onboard.inference.cuda_graph import CudaGraph
from onboard.inference.cuda_memory import CudaDevice, cuda_device
from onboard.inference.gpu import Gpu, first_gpu
from onboard.inference.tensorrt_api import (
    RENAMED,
    RUNTIME_NAMES,
    import_tensorrt,
    make_log,
    missing_names,
)
from onboard.model_bundle import load_bundle
from tests.onboard.trt_module import bindings


def has_gpu() -> bool:
    try:
        first_gpu()
    except InputError:
        return False
    return True


GPU = has_gpu()
without_gpu = pytest.mark.skipif(GPU, reason="this machine has a GPU")
with_gpu = pytest.mark.skipif(not GPU, reason="needs an NVIDIA GPU with its driver")


@without_gpu
@pytest.mark.parametrize("ask", [first_gpu, cuda_device, import_tensorrt])
def test_no_gpu_is_one_sentence(ask):
    with pytest.raises(InputError, match=r"no GPU can be used: .*onnxruntime-cpu") as caught:
        ask()
    assert "\n" not in str(caught.value)


@without_gpu
@pytest.mark.parametrize(
    "backend", [Backend.TENSORRT, Backend.ONNXRUNTIME_CUDA, Backend.ONNXRUNTIME_TENSORRT]
)
def test_a_backend_that_cannot_be_had_is_refused(backend):
    with pytest.raises(InputError, match=r"the backend (to )?onnxruntime-cpu"):
        Network(load_bundle(), threads=1, backend=backend)


def test_a_gpu_name_becomes_part_of_a_file_name():
    assert Gpu("NVIDIA GeForce RTX 4090 (Ti)", "8.9", "12.4").slug == "nvidia-geforce-rtx-4090-ti"


class Pycuda:
    """As much of pycuda.driver as a context needs; the real one can't be imported here."""

    class Error(Exception):
        pass

    class Context:
        def __init__(self):
            self.depth, self.detached = 0, False

        def push(self):
            self.depth += 1

        def pop(self):
            self.depth -= 1

        def detach(self):
            self.detached = True

    def __init__(self):
        self.context = self.Context()

    def Device(self, number):
        return self

    def retain_primary_context(self):
        return self.context


def test_a_failing_cuda_call_becomes_a_backend_error_and_the_context_is_popped():
    driver = Pycuda()
    device = CudaDevice(driver)
    with pytest.raises(BackendError, match="out of memory"), device.current():
        assert driver.context.depth == 1
        raise driver.Error("cuMemAlloc failed: out of memory")
    assert driver.context.depth == 0
    with pytest.raises(ValueError, match="not CUDA's"), device.current():
        raise ValueError("not CUDA's")
    assert driver.context.depth == 0


def test_closing_goes_backwards_and_ends_the_context():
    driver, order = Pycuda(), []
    device = CudaDevice(driver)
    device.before_close(lambda: order.append("first"))
    device.before_close(lambda: order.append("second"))
    device.close()
    device.close()
    assert order == ["second", "first"] and driver.context.detached
    with pytest.raises(BackendError, match="closed"), device.current():
        pass


def test_the_names_in_use_are_there():
    trt = bindings()
    assert missing_names(trt, RUNTIME_NAMES) == []
    for owner, pairs in RENAMED.items():
        for pair in pairs:
            assert any(hasattr(getattr(trt, owner), name) for name in pair), (owner, pair)


def test_the_log_keeps_the_latest_error_and_prints_nothing(capfd):
    trt = bindings()
    log = make_log(trt)
    for severity, message in (
        (trt.ILogger.Severity.ERROR, "first"),
        (trt.ILogger.Severity.INTERNAL_ERROR, "no\n  memory"),
        (trt.ILogger.Severity.WARNING, "deprecated"),
        (trt.ILogger.Severity.INFO, "hello"),
    ):
        log.log(severity, message)
    assert log.error == "no memory"
    assert capfd.readouterr() == ("", "")


def test_types_of_tensors_are_numpys():
    trt = bindings()
    kinds = trt.DataType
    pairs = ((kinds.FLOAT, np.float32), (kinds.UINT8, np.uint8), (kinds.HALF, np.float16))
    for kind, expected in pairs:
        assert np.dtype(trt.nptype(kind)) == expected


def test_a_name_that_is_gone_is_found_missing():
    class Old:
        __version__ = "7.2"

        class Runtime:
            deserialize_cuda_engine = None

    missing = missing_names(
        Old, {"": ("__version__", "nptype"), "ICudaEngine": ("num_io_tensors",)}
    )
    assert missing == ["nptype", "ICudaEngine.num_io_tensors"]
    assert missing_names(Old, {"Runtime": ("deserialize_cuda_engine",)}) == []


@with_gpu
def test_what_cannot_be_captured_is_a_backend_error():
    pytest.importorskip("pycuda.driver")
    device = cuda_device()
    with device.current():
        stream = device.stream()

        def refuse():
            raise BackendError("no such kernel")

        with pytest.raises(BackendError, match="no such kernel"):
            CudaGraph(stream.handle, refuse)
        buffer = device.buffer(16)
        buffer.host[:] = 7
        graph = CudaGraph(stream.handle, lambda: buffer.to_device(16, stream))
        graph.launch()
        stream.synchronize()
        buffer.host[:] = 0
        buffer.to_host(16, stream)
        stream.synchronize()
        assert (buffer.host[:16] == 7).all()
        graph.free()
        buffer.free()
