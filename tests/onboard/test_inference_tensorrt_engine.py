"""What TensorrtGraph does around an engine: buffers, shapes, captured graphs, batches, threads.

The device here is a few arrays: work that a stream is given is done when it is waited for, as
on a GPU. Whether real engines run is for a machine with one (`pilotage export gpu-check`).
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from onboard.errors import BackendError, InputError
from onboard.inference import tensorrt_engine
from onboard.inference.tensorrt_engine import MAX_SHAPES, TensorrtGraph

LARGEST = 4  # tiles
INPUT, OUTPUT = "input", "output"


class Stream:
    handle = 77

    def __init__(self):
        self.queue, self.recording = [], None

    def give(self, work):
        (self.queue if self.recording is None else self.recording).append(work)

    def synchronize(self):
        for work in self.queue:
            work()
        self.queue.clear()


class Device:
    """Memory by address; `allocated` counts what was not given back."""

    def __init__(self):
        self.memory, self.depth, self.the_stream, self.closers = {}, 0, Stream(), []

    @contextlib.contextmanager
    def current(self):
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    def stream(self):
        return self.the_stream

    def before_close(self, closer):
        self.closers.append(closer)

    def device_memory(self, size):
        return Scratch(self, size)

    def buffer(self, size):
        return HostAndDevice(self, size)


class Scratch:
    def __init__(self, device, size):
        assert device.depth == 1
        self.device, self.address = device, 1000 + len(device.memory)
        device.memory[self.address] = np.zeros(size, np.uint8)

    def __int__(self):
        return self.address

    def free(self):
        assert self.device.depth == 1
        del self.device.memory[self.address]


class HostAndDevice(Scratch):
    def __init__(self, device, size):
        super().__init__(device, size)
        self.host = np.zeros(size, np.uint8)

    def to_device(self, size, stream):
        there = self.device.memory[self.address]
        stream.give(lambda: np.copyto(there[:size], self.host[:size]))

    def to_host(self, size, stream):
        there = self.device.memory[self.address]
        stream.give(lambda: np.copyto(self.host[:size], there[:size]))


class Context:
    """tiles (N,3) uint8 and shift (1,3) float32 -> sum (N,3) and tiles' means (N,)."""

    def __init__(self, device, broken):
        self.device, self.broken, self.shapes, self.addresses = device, broken, {}, {}

    def set_device_memory(self, address, size):
        assert len(self.device.memory[address]) == size

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        return shape[0] <= LARGEST

    def set_tensor_address(self, name, address):
        self.addresses[name] = address

    def get_tensor_shape(self, name):
        n = self.shapes["tiles"][0]
        return {"sum": (n, 3), "mean": (n,)}.get(name) or self.shapes[name]

    def execute_async_v3(self, handle):
        assert handle == Stream.handle
        if not self.broken:
            self.device.the_stream.give(self._compute)
        return not self.broken

    def _compute(self):
        tiles = self._array("tiles", np.uint8)
        self._array("sum", np.float32)[:] = tiles + self._array("shift", np.float32)
        self._array("mean", np.float32)[:] = tiles.mean(1)

    def _array(self, name, dtype):
        shape = self.get_tensor_shape(name)
        data = self.device.memory[self.addresses[name]]
        return data[: int(np.prod(shape)) * np.dtype(dtype).itemsize].view(dtype).reshape(shape)


class Engine:
    num_io_tensors = 4
    device_memory_size_v2 = 64
    names = ("tiles", "sum", "shift", "mean")

    def __init__(self, device):
        self.device, self.broken, self.contexts = device, False, 0

    def get_tensor_name(self, i):
        return self.names[i]

    def get_tensor_mode(self, name):
        return INPUT if name in ("tiles", "shift") else OUTPUT

    def get_tensor_dtype(self, name):
        return np.uint8 if name == "tiles" else np.float32

    def get_tensor_shape(self, name):
        return {"tiles": (-1, 3), "shift": (1, 3), "sum": (-1, 3), "mean": (-1,)}[name]

    def get_tensor_profile_shape(self, name, profile):
        assert profile == 0
        return [(1, 3)] * 3 if name == "shift" else [(1, 3), (1, 3), (LARGEST, 3)]

    def create_execution_context(self, strategy):
        self.contexts += 1
        return Context(self.device, self.broken)


class Log:
    error = "tactic failed"

    def __init__(self):
        pass


@pytest.fixture
def world(monkeypatch):
    """Device, engine, and how many captured graphs there are, were launched, were freed."""
    device = Device()
    engine = Engine(device)
    counts = {"captured": 0, "launched": 0, "freed": 0, "refuse": False}

    class Captured:
        def __init__(self, handle, enqueue):
            stream = device.the_stream
            assert handle == stream.handle and device.depth == 1
            stream.recording = []
            try:
                enqueue()
                self.work = stream.recording
            finally:
                stream.recording = None
            if counts["refuse"]:
                raise BackendError("cuStreamEndCapture failed: CUDA_ERROR_STREAM_CAPTURE")
            counts["captured"] += 1

        def launch(self):
            counts["launched"] += 1
            device.the_stream.queue += self.work

        def free(self):
            counts["freed"] += 1

    monkeypatch.setattr(tensorrt_engine, "CudaGraph", Captured)
    monkeypatch.setattr(tensorrt_engine, "make_log", lambda trt: Log())
    trt = SimpleNamespace(
        __version__="10.3.0",
        TensorIOMode=SimpleNamespace(INPUT=INPUT, OUTPUT=OUTPUT),
        ExecutionContextAllocationStrategy=SimpleNamespace(USER_MANAGED=0),
        nptype=lambda kind: kind,
        Runtime=lambda log: SimpleNamespace(
            deserialize_cuda_engine=lambda data: engine if data == b"good" else None
        ),
    )
    return SimpleNamespace(
        device=device,
        engine=engine,
        counts=counts,
        graph=lambda data=b"good": TensorrtGraph(trt, device, data, "model.orin.engine"),
    )


def feed(n, seed=0):
    rng = np.random.default_rng(seed)
    tiles = rng.integers(0, 256, (n, 3), dtype=np.uint8)
    return {"tiles": tiles, "shift": rng.normal(size=(1, 3)).astype(np.float32)}


def check(graph, n, seed=0):
    given = feed(n, seed)
    mean, total = graph.run(["mean", "sum"], given)
    np.testing.assert_allclose(total, given["tiles"] + given["shift"], rtol=1e-6)
    np.testing.assert_allclose(mean, given["tiles"].mean(1), rtol=1e-6)


def test_names_and_order_are_the_engines(world):
    graph = world.graph()
    assert graph.input_names == ("tiles", "shift") and graph.output_names == ("sum", "mean")


def test_the_second_run_of_a_shape_is_captured_and_then_launched(world):
    graph = world.graph()
    for n in (2, 3):
        for seed in range(4):
            check(graph, n, seed)
    assert world.counts["captured"] == 2 and world.counts["launched"] == 2 * 3
    assert world.engine.contexts == 1 + 2  # one to learn the outputs' sizes, one a shape


def test_batches_beyond_the_engines_own_run_in_pieces(world):
    graph = world.graph()
    for n in (LARGEST, LARGEST + 1, 3 * LARGEST - 1):
        check(graph, n)


def test_an_engine_of_a_fixed_batch_takes_any(world, monkeypatch):
    shapes = {n: (LARGEST, 3) for n in ("tiles", "shift", "sum")} | {"mean": (LARGEST,)}
    monkeypatch.setattr(world.engine, "get_tensor_shape", shapes.get)
    graph = world.graph()
    for n in (1, LARGEST, LARGEST + 1):
        given = feed(n)
        given["shift"] = given["shift"].repeat(n, 0)
        (total,) = graph.run(["sum"], given)
        np.testing.assert_allclose(total, given["tiles"] + given["shift"], rtol=1e-6)


def test_what_cannot_be_captured_runs_all_the_same(world):
    world.counts["refuse"] = True
    graph = world.graph()
    for seed in range(4):
        check(graph, 2, seed)
    assert world.counts["captured"] == world.counts["launched"] == 0


def test_old_shapes_make_room_and_give_their_graphs_back(world, monkeypatch):
    monkeypatch.setattr(tensorrt_engine, "MAX_SHAPES", 2)
    graph = world.graph()
    for n in (1, 1, 2, 2, 3, 3, 1):
        check(graph, n)
    assert world.counts["captured"] == 3 and world.counts["freed"] == 2
    assert MAX_SHAPES >= 2


def test_answers_are_copies_that_later_runs_leave_alone(world):
    graph = world.graph()
    (first,) = graph.run(["sum"], feed(2, 0))
    kept = first.copy()
    graph.run(["sum"], feed(2, 1))
    np.testing.assert_array_equal(first, kept)


def test_any_thread_may_call(world):
    graph = world.graph()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: check(graph, i % LARGEST + 1, i), range(60)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tiles": np.zeros((2, 3), np.float32)}, "'tiles' is float32"),
        ({"tiles": np.zeros((2, 4), np.uint8)}, r"\(2, 4\)"),
        ({"tiles": np.zeros(3, np.uint8)}, r"\(3,\)"),
        ({"shift": np.zeros((2, 3), np.float32)}, "'shift'"),
    ],
)
def test_inputs_that_do_not_fit_are_value_errors(world, change, says):
    with pytest.raises(ValueError, match=says):
        world.graph().run(["sum"], {**feed(2), **change})


def test_missing_inputs_and_unknown_outputs_are_value_errors(world):
    with pytest.raises(ValueError, match="input 'shift' is missing"):
        world.graph().run(["sum"], {"tiles": feed(1)["tiles"]})
    with pytest.raises(ValueError, match="no output 'heat'"):
        world.graph().run(["heat"], feed(1))


def test_an_engine_that_fails_is_a_backend_error_with_tensorrts_reason(world):
    world.engine.broken = True
    with pytest.raises(BackendError, match=r"model\.orin\.engine: TensorRT failed: tactic"):
        world.graph().run(["sum"], feed(1))
    assert world.device.depth == 0


def test_bytes_that_are_no_engine_are_one_sentence(world):
    with pytest.raises(InputError, match=r"TensorRT 10\.3\.0 can't read this engine .*build it"):
        world.graph(b"bad")


def test_closing_gives_everything_back_once(world):
    graph = world.graph()
    for _ in range(3):
        check(graph, 2)
    assert world.device.memory and world.device.closers == [graph.close]
    graph.close()
    graph.close()
    assert world.device.memory == {} and world.counts["freed"] == 1
    with pytest.raises(BackendError, match="closed"):
        graph.run(["sum"], feed(1))
