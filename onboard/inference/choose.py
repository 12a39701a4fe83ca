"""Which backend runs a bundle: the one that was asked for, or the fastest that can be trusted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import onnxruntime

from onboard.errors import BackendError, InputError
from onboard.inference.contract import Backend, Graph
from onboard.inference.cuda_memory import cuda_device
from onboard.inference.engine_files import fitting_engines, has_engines
from onboard.inference.engine_record import read_record
from onboard.inference.engine_stamp import read_engine
from onboard.inference.gpu import first_gpu
from onboard.inference.onnx_runtime import OnnxRuntimeGraph, has_provider
from onboard.inference.self_test import self_test
from onboard.inference.tensorrt_api import import_tensorrt
from onboard.inference.tensorrt_engine import TensorrtGraph
from onboard.model_bundle import ModelBundle

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """graphs: by file name (model.onnx, ...). said: backend, device and versions in words.
    precision: of engines (fp32, fp16 or int8), '' where the graphs' own counts."""

    graphs: dict[str, Graph]
    backend: Backend
    said: str
    precision: str = ""

    @property
    def int8(self) -> bool:
        """Whether it computes in int8, and may be further off."""
        return self.precision == "int8"


def open_graphs(
    bundle: ModelBundle, wanted: Backend = Backend.AUTO, threads: int | None = None
) -> Opened:
    """Loads every graph of a bundle on one backend; whatever runs on a GPU is self-tested.

    AUTO: native TensorRT when the bundle holds engines, else ONNX Runtime's CUDA provider when
    it is installed, else the CPU; what fails on the way is logged. It never takes ONNX
    Runtime's TensorRT provider, which builds for minutes each time. threads: of the CPU, None
    takes all cores.

    Raises InputError: a graph can't be loaded, or the backend asked for can't be had.
    """
    if wanted is not Backend.AUTO:
        opened = _open(bundle, wanted, threads)
    else:
        candidates = [
            backend
            for backend, worth_trying in (
                (Backend.TENSORRT, has_engines(bundle)),
                (Backend.ONNXRUNTIME_CUDA, has_provider(Backend.ONNXRUNTIME_CUDA)),
            )
            if worth_trying
        ]
        opened = _first_that_works(bundle, candidates, threads)
    log.info("%s runs on %s", bundle.id, opened.said)
    return opened


def _first_that_works(
    bundle: ModelBundle, candidates: list[Backend], threads: int | None
) -> Opened:
    for backend in candidates:
        try:
            return _open(bundle, backend, threads)
        except InputError as e:
            log.warning("not on %s: %s", backend.value, e)
    return _open(bundle, Backend.ONNXRUNTIME_CPU, threads)


def _open(bundle: ModelBundle, backend: Backend, threads: int | None) -> Opened:
    if backend is Backend.ONNXRUNTIME_CPU:
        return _onnx_runtime(bundle, backend, threads)
    try:
        opened = _OPENERS[backend](bundle)
        try:
            self_test(bundle, opened.graphs, opened.said, opened.int8)
        except BaseException:
            _close(opened.graphs)
            raise
    except BackendError as e:
        raise InputError(
            f"{backend.value} failed while {bundle.path} was loaded: {e}; check the GPU with "
            "nvidia-smi, or set the backend to onnxruntime-cpu"
        ) from e
    return opened


def _onnx_runtime(bundle: ModelBundle, backend: Backend, threads: int | None) -> Opened:
    graphs: dict[str, Graph] = {
        name: OnnxRuntimeGraph(bundle.path / name, backend, threads) for name in bundle.graphs
    }
    where = "" if backend is Backend.ONNXRUNTIME_CPU else f" on {first_gpu().name}"
    return Opened(graphs, backend, f"{backend.value} {onnxruntime.__version__}{where}")


def _tensorrt(bundle: ModelBundle) -> Opened:
    gpu, trt = first_gpu(), import_tensorrt()
    engines = fitting_engines(bundle, gpu, trt.__version__, read_record())
    device = cuda_device()
    graphs: dict[str, Graph] = {}
    try:
        for name, file in engines.items():
            engine = read_engine(file.path, file.stamp)
            graphs[name] = TensorrtGraph(trt, device, engine, file.path.name)
    except BaseException:
        _close(graphs)
        raise
    precision = engines["model.onnx"].stamp.precision
    said = f"{Backend.TENSORRT.value} {trt.__version__} {precision} on {gpu.name}"
    return Opened(graphs, Backend.TENSORRT, said, precision)


def _close(graphs: Mapping[str, Graph]) -> None:
    """What can't be used gives its memory back before another backend is tried."""
    for graph in graphs.values():
        graph.close()


_OPENERS: dict[Backend, Callable[[ModelBundle], Opened]] = {
    Backend.TENSORRT: _tensorrt,
    Backend.ONNXRUNTIME_CUDA: lambda b: _onnx_runtime(b, Backend.ONNXRUNTIME_CUDA, None),
    Backend.ONNXRUNTIME_TENSORRT: lambda b: _onnx_runtime(b, Backend.ONNXRUNTIME_TENSORRT, None),
}
