"""A graph as a native TensorRT engine, called through pycuda."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onboard.errors import BackendError, InputError
from onboard.inference.batches import fixed_batch, run_in_pieces
from onboard.inference.contract import Tensor
from onboard.inference.cuda_graph import CudaGraph
from onboard.inference.cuda_memory import Buffer, CudaDevice
from onboard.inference.tensorrt_api import make_log

# Shapes whose execution context and CUDA graph are kept; in flight there are some ten
# (1 to 10 candidates), in map building two.
MAX_SHAPES = 12
PROFILE = 0  # engines are built with one optimisation profile
Shapes = tuple[tuple[int, ...], ...]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Port:
    """An input or output. shape: -1 where the batch is free; largest: what memory is for."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    largest: tuple[int, ...]

    def bytes_of(self, shape: tuple[int, ...]) -> int:
        return math.prod(shape) * self.dtype.itemsize


class _Prepared:
    """The engine for one set of input shapes: an execution context of its own, since a CUDA
    graph is bound to the state of the context that it was captured from."""

    def __init__(self, context: Any, shapes: dict[str, tuple[int, ...]]) -> None:
        self.context = context
        self.shapes = shapes  # of inputs and outputs
        self.graph: CudaGraph | None = None
        self.runs = 0


class TensorrtGraph:
    """The contract `Graph`. A batch beyond the engine's own limit runs in pieces."""

    def __init__(self, trt: Any, device: CudaDevice, engine: bytes, name: str) -> None:
        """engine: a serialized engine whose origin was checked: it is code. name: for messages.

        Raises InputError: TensorRT can't read it; BackendError: no memory on the device.
        """
        self._trt, self._device, self._name = trt, device, name
        self._log = make_log(trt)
        self._lock = threading.Lock()
        self._prepared: OrderedDict[Shapes, _Prepared] = OrderedDict()
        self._buffers: dict[str, Buffer] = {}
        self._closed = False
        with device.current():
            self._runtime = trt.Runtime(self._log)
            self._engine = self._runtime.deserialize_cuda_engine(engine)
            if self._engine is None:
                raise InputError(
                    f"{name}: TensorRT {trt.__version__} can't read this engine "
                    f"({self._log.error}); build it again with 'pilotage export engine'"
                )
            self._stream = device.stream()
            self._scratch_bytes = _scratch_bytes(self._engine)
            self._scratch = device.device_memory(self._scratch_bytes)
            self._inputs, self._outputs = self._names()
            self._ports = self._read_ports()
            for name, port in self._ports.items():
                self._buffers[name] = device.buffer(port.bytes_of(port.largest))
        device.before_close(self.close)
        self._fixed = fixed_batch([self._ports[n].shape for n in self._inputs]) is not None
        batched = [n for n in self._inputs if self._fixed or self._ports[n].shape[0] == -1]
        self._batched = tuple(batched)
        self._largest = min((self._ports[n].largest[0] for n in batched), default=1)

    @property
    def input_names(self) -> tuple[str, ...]:
        return self._inputs

    @property
    def output_names(self) -> tuple[str, ...]:
        return self._outputs

    def run(self, outputs: Sequence[str], inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """As the contract says."""
        for name in self._inputs:
            self._check_input(name, inputs)
        unknown = [n for n in outputs if n not in self._outputs]
        if unknown:
            raise ValueError(f"{self._name} has no output '{unknown[0]}'")
        return run_in_pieces(
            self._run_once, outputs, inputs, self._batched, self._largest, self._fixed
        )

    def close(self) -> None:
        """Frees in the order that CUDA wants: graphs, contexts, memory."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with contextlib.suppress(BackendError), self._device.current():
                for prepared in self._prepared.values():
                    _drop(prepared)
                self._prepared.clear()
                for buffer in self._buffers.values():
                    buffer.free()
                self._scratch.free()
            self._engine = self._runtime = self._stream = None

    def _run_once(self, outputs: Sequence[str], inputs: Mapping[str, Tensor]) -> list[Tensor]:
        with self._lock:
            if self._closed:
                raise BackendError(f"{self._name} is closed")
            with self._device.current():
                prepared = self._prepare(tuple(inputs[n].shape for n in self._inputs))
                for name in self._inputs:
                    self._view(name, prepared)[...] = inputs[name]
                self._launch(prepared)
                self._stream.synchronize()
                return [self._view(name, prepared).copy() for name in outputs]

    def _launch(self, prepared: _Prepared) -> None:
        """The first run of a shape as it is, for TensorRT to set itself up; the second is
        captured; from then on the captured graph is launched."""
        prepared.runs += 1
        if prepared.runs == 2:
            try:
                prepared.graph = CudaGraph(self._stream.handle, lambda: self._enqueue(prepared))
            except BackendError as e:  # some engines can't be captured: they run all the same
                log.info("%s: no CUDA graph (%s)", self._name, e)
        if prepared.graph is not None:
            prepared.graph.launch()
        else:
            self._enqueue(prepared)

    def _enqueue(self, prepared: _Prepared) -> None:
        """Copies in, kernels, copies out."""
        sizes = {n: self._ports[n].bytes_of(shape) for n, shape in prepared.shapes.items()}
        for name in self._inputs:
            self._buffers[name].to_device(sizes[name], self._stream)
        if not prepared.context.execute_async_v3(self._stream.handle):
            raise BackendError(f"{self._name}: TensorRT failed: {self._log.error}")
        for name in self._outputs:
            self._buffers[name].to_host(sizes[name], self._stream)

    def _prepare(self, shapes: Shapes) -> _Prepared:
        if shapes in self._prepared:
            self._prepared.move_to_end(shapes)
            return self._prepared[shapes]
        while len(self._prepared) >= MAX_SHAPES:
            _drop(self._prepared.popitem(last=False)[1])
        context = self._new_context(shapes)
        for name, buffer in self._buffers.items():
            context.set_tensor_address(name, buffer.address)
        every = {n: tuple(context.get_tensor_shape(n)) for n in self._ports}
        self._prepared[shapes] = _Prepared(context, every)
        return self._prepared[shapes]

    def _new_context(self, shapes: Shapes) -> Any:
        """All contexts share one piece of scratch memory: they never run at the same time."""
        strategies = getattr(self._trt, "ExecutionContextAllocationStrategy", None)
        if strategies is not None:
            context = self._engine.create_execution_context(strategies.USER_MANAGED)
        else:  # 8.6
            context = self._engine.create_execution_context_without_device_memory()
        if context is None:
            raise BackendError(f"{self._name}: no execution context: {self._log.error}")
        if hasattr(context, "set_device_memory"):
            context.set_device_memory(int(self._scratch), self._scratch_bytes)
        else:
            context.device_memory = int(self._scratch)
        for name, shape in zip(self._inputs, shapes, strict=True):
            if not context.set_input_shape(name, shape):
                raise BackendError(f"{self._name}: shape {shape} of '{name}': {self._log.error}")
        return context

    def _names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of inputs and outputs, in the engine's order."""
        engine = self._engine
        every = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        kinds = self._trt.TensorIOMode
        inputs = tuple(n for n in every if engine.get_tensor_mode(n) == kinds.INPUT)
        return inputs, tuple(n for n in every if engine.get_tensor_mode(n) == kinds.OUTPUT)

    def _read_ports(self) -> dict[str, _Port]:
        """Outputs' largest shapes are those that a context gives for the largest inputs."""
        engine = self._engine
        largest = {n: tuple(engine.get_tensor_shape(n)) for n in self._inputs}
        for name, shape in largest.items():
            if -1 in shape:
                largest[name] = tuple(engine.get_tensor_profile_shape(name, PROFILE)[2])
        context = self._new_context(tuple(largest.values()))
        largest |= {n: tuple(context.get_tensor_shape(n)) for n in self._outputs}
        return {
            name: _Port(
                dtype=np.dtype(self._trt.nptype(engine.get_tensor_dtype(name))),
                shape=tuple(engine.get_tensor_shape(name)),
                largest=shape,
            )
            for name, shape in largest.items()
        }

    def _check_input(self, name: str, inputs: Mapping[str, Tensor]) -> None:
        if name not in inputs:
            raise ValueError(f"{self._name}: input '{name}' is missing")
        given, port = inputs[name], self._ports[name]
        fits = len(given.shape) == len(port.shape) and all(
            want in (-1, got) or (self._fixed and axis == 0)
            for axis, (want, got) in enumerate(zip(port.shape, given.shape, strict=True))
        )
        if not fits or given.dtype != port.dtype:
            raise ValueError(
                f"{self._name}: input '{name}' is {given.dtype} {given.shape}, "
                f"not {port.dtype} {port.shape}"
            )

    def _view(self, name: str, prepared: _Prepared) -> Tensor:
        """The pinned memory of a tensor, shaped."""
        port, shape = self._ports[name], prepared.shapes[name]
        view: Tensor = self._buffers[name].host[: port.bytes_of(shape)].view(port.dtype)
        return view.reshape(shape)


def _scratch_bytes(engine: Any) -> int:
    if hasattr(engine, "device_memory_size_v2"):
        return int(engine.device_memory_size_v2)
    return int(engine.device_memory_size)


def _drop(prepared: _Prepared) -> None:
    if prepared.graph is not None:
        prepared.graph.free()
