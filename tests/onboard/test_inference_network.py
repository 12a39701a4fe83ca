"""The network on its backends: the CPU's answers, and what happens when a GPU fails."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnxruntime
import pytest

from onboard.errors import BackendError, InputError
from onboard.inference import Backend, Network, choose, network
from onboard.inference.choose import Opened, open_graphs
from onboard.messages import Description
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle


@pytest.fixture(scope="module")
def cpu():
    return Network(load_bundle(), threads=1, backend=Backend.ONNXRUNTIME_CPU)


def picture(seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(1, 256, (1, 32, 32, 3), dtype=np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)


class DyingGraph:
    """The contract, on a device that is gone."""

    input_names = ("pictures",)
    output_names = ("descriptor",)
    closed = False

    def run(self, outputs, inputs):
        raise BackendError("cuStreamSynchronize failed: an illegal memory access")

    def close(self):
        self.closed = True


@pytest.fixture
def dying(monkeypatch):
    """open_graphs gives a GPU that dies at the first call; the CPU is real."""

    def open_first(bundle, wanted=Backend.AUTO, threads=None):
        if wanted is Backend.ONNXRUNTIME_CPU:
            return open_graphs(bundle, wanted, threads)
        graphs = {name: DyingGraph() for name in bundle.graphs}
        return Opened(graphs, Backend.TENSORRT, "tensorrt 10.3.0 fp16 on a GPU")

    monkeypatch.setattr(network, "open_graphs", open_first)


def test_the_cpu_answers_like_the_file_itself(cpu):
    session = onnxruntime.InferenceSession(
        str(DEFAULT_BUNDLE / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    expected = session.run(["descriptor", "coarse", "fine"], {"pictures": picture()})
    for got, right in zip(cpu.encode(picture()), expected, strict=True):
        np.testing.assert_allclose(got, right, atol=1e-5)
    np.testing.assert_array_equal(cpu.descriptors(picture()), cpu.encode(picture())[0])


def test_a_view_lies_in_the_middle_of_itself(cpu):
    described = Description(*(x[0] for x in cpu.encode(picture())))
    (coarse,), (full,) = (f(described, [described]) for f in (cpu.coarse_heatmaps, cpu.heatmaps))
    assert np.unravel_index(coarse.argmax(), coarse.shape) == (16, 16)
    assert np.unravel_index(full.argmax(), full.shape) == (32, 32)
    scores, reliability = cpu.patch_scores(described, described)
    assert scores.shape == (8, 8, 9, 9) and reliability.shape == (8, 8)


def test_it_says_what_it_runs_on(cpu):
    assert cpu.backend is Backend.ONNXRUNTIME_CPU
    assert cpu.runs_on == f"onnxruntime-cpu {onnxruntime.__version__}"


def test_a_picture_of_a_wrong_type_is_a_value_error(cpu):
    with pytest.raises(ValueError, match="data type"):
        cpu.descriptors(picture().astype(np.float32))


def test_a_closed_network_says_so():
    closed = Network(load_bundle(), threads=1, backend=Backend.ONNXRUNTIME_CPU)
    closed.close()
    closed.close()
    with pytest.raises(BackendError, match="closed"):
        closed.descriptors(picture())


def test_with_auto_a_gpu_that_dies_is_given_up_for_the_cpu(dying, cpu, caplog):
    flying = Network(load_bundle(), threads=1)
    assert flying.backend is Backend.TENSORRT
    np.testing.assert_array_equal(flying.descriptors(picture()), cpu.descriptors(picture()))
    assert flying.backend is Backend.ONNXRUNTIME_CPU
    assert "illegal memory access" in caplog.text and "going on with the CPU" in caplog.text


def test_a_gpu_that_was_asked_for_is_not_given_up(dying):
    flying = Network(load_bundle(), threads=1, backend=Backend.TENSORRT)
    with pytest.raises(BackendError, match="illegal memory access"):
        flying.descriptors(picture())
    assert flying.backend is Backend.TENSORRT


def test_auto_tries_in_order_and_logs_why_not(monkeypatch, caplog):
    tried = []

    def refuse(backend):
        def opener(bundle):
            tried.append(backend)
            raise InputError(f"{backend.value} is broken")

        return opener

    monkeypatch.setattr(choose, "has_engines", lambda bundle: True)
    monkeypatch.setattr(choose, "has_provider", lambda backend: True)
    monkeypatch.setattr(choose, "_OPENERS", {b: refuse(b) for b in Backend})
    opened = open_graphs(load_bundle(), Backend.AUTO, threads=1)
    assert tried == [Backend.TENSORRT, Backend.ONNXRUNTIME_CUDA]
    assert opened.backend is Backend.ONNXRUNTIME_CPU
    assert all(f"not on {b.value}: {b.value} is broken" in caplog.text for b in tried)


def test_a_backend_that_answers_wrongly_gives_its_memory_back(monkeypatch, caplog):
    wrong = choose.open_graphs(load_bundle(), Backend.ONNXRUNTIME_CPU, threads=1)
    encoder = wrong.graphs["model.onnx"]
    run = encoder.run
    monkeypatch.setattr(encoder, "run", lambda o, i: [a[:, ::-1] for a in run(o, i)])
    monkeypatch.setitem(choose._OPENERS, Backend.TENSORRT, lambda bundle: wrong)
    monkeypatch.setattr(choose, "has_engines", lambda bundle: True)
    monkeypatch.setattr(choose, "has_provider", lambda backend: False)
    opened = choose.open_graphs(load_bundle(), threads=1)
    assert opened.backend is Backend.ONNXRUNTIME_CPU and "answers wrongly" in caplog.text
    for graph in wrong.graphs.values():
        with pytest.raises(BackendError, match="closed"):
            graph.run([], {})


def test_a_device_that_fails_while_loading_is_one_sentence(monkeypatch):
    def out_of_memory(bundle):
        raise BackendError("cuMemAlloc failed: out of memory")

    monkeypatch.setitem(choose._OPENERS, Backend.TENSORRT, out_of_memory)
    with pytest.raises(InputError, match=r"tensorrt failed while .* out of memory; check"):
        open_graphs(load_bundle(), Backend.TENSORRT)


def test_a_bundle_of_descriptors_alone_still_describes(cpu):
    bundle = load_bundle()
    alone = dataclasses.replace(bundle, files={"model.onnx": bundle.files["model.onnx"]})
    only = Network(alone, threads=1, backend=Backend.ONNXRUNTIME_CPU)
    np.testing.assert_array_equal(only.descriptors(picture()), cpu.descriptors(picture()))
