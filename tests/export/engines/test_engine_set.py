"""Engines are kept when they answer like the network, all of a bundle or none."""

from __future__ import annotations

import dataclasses
import errno
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest

from export.bundles.parity_views import ParityViews
from export.engines import engine_set
from export.engines.engine_parity import engine_failures
from export.engines.engine_set import _keep
from export.engines.source_graph import is_mixed, source_graph
from export.engines.tensorrt_builder import BuildOptions, Precision
from onboard import whole_file
from onboard.errors import InputError
from onboard.inference.choose import open_graphs
from onboard.inference.contract import Backend
from onboard.inference.engine_files import fitting_engines
from onboard.inference.engine_record import read_record
from onboard.inference.gpu import Gpu, first_gpu
from onboard.model_bundle import DEFAULT_BUNDLE, Kind, load_bundle
from tools.cli import main

GPU = Gpu("Orin", "8.7", "12.6")
FP16 = BuildOptions(Precision.FP16, (1, 1, 16))


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def bundle(tmp_path):
    shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle")
    return load_bundle(tmp_path / "bundle")


@pytest.fixture(scope="module")
def graphs():
    opened = open_graphs(load_bundle(), Backend.ONNXRUNTIME_CPU, threads=1).graphs
    return {**opened, "model.onnx": Remembering(opened["model.onnx"])}


@pytest.fixture(scope="module")
def views():
    blocks = np.random.default_rng(0).integers(1, 256, (10, 32, 32, 3), dtype=np.uint8)
    pictures = blocks.repeat(8, 1).repeat(8, 2)
    return ParityViews(pictures[:9], pictures[9:], "blocks")


class Remembering:
    """The real encoder, asked only once about the same pictures."""

    def __init__(self, graph):
        self._graph, self._known = graph, {}
        self.input_names, self.output_names = graph.input_names, graph.output_names

    def run(self, outputs, inputs):
        key = (*outputs, inputs["pictures"].tobytes())
        if key not in self._known:
            self._known[key] = self._graph.run(outputs, inputs)
        return self._known[key]


class Spoiled:
    def __init__(self, graph, change):
        self._graph, self._change = graph, change
        self.input_names, self.output_names = graph.input_names, graph.output_names

    def run(self, outputs, inputs):
        answers = self._graph.run(outputs, inputs)
        return [self._change(a) for a in answers]

    def close(self):
        pass


def fp16(array):
    return array.astype(np.float16).astype(np.float32)


def test_the_same_answers_have_no_failure(graphs, views):
    parity, failures = engine_failures(load_bundle(), graphs, graphs, views, Precision.FP32)
    assert failures == [] and parity.overlap == 1.0


def test_rounding_passes_as_fp16(graphs, views):
    rounded = {name: Spoiled(graph, fp16) for name, graph in graphs.items()}
    _, failures = engine_failures(load_bundle(), graphs, rounded, views, Precision.FP16)
    assert failures == []


@pytest.mark.parametrize("file", ["model.onnx", "rerank.onnx", "decoder.onnx", "patches.onnx"])
@pytest.mark.parametrize(
    ("change", "says"), [(lambda a: -a, "cosine"), (lambda a: a * np.nan, "is not finite")]
)
def test_a_wrong_answer_of_any_graph_fails(graphs, views, file, change, says):
    wrong = {**graphs, file: Spoiled(graphs[file], change)}
    _, failures = engine_failures(load_bundle(), graphs, wrong, views, Precision.INT8)
    assert any(says in clause for clause in failures)
    if file != "model.onnx":
        assert all(clause.startswith(file) for clause in failures)


def test_fp16_engines_are_parsed_from_a_graph_that_says_so(bundle):
    path = bundle.path / "rerank.onnx"
    assert source_graph(path, Precision.FP32) == path.read_bytes()
    data = source_graph(path, Precision.FP16)
    mixed = onnx.load_from_string(data)
    assert is_mixed(mixed) and not is_mixed(onnx.load(path))
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["view_coarse", "tile_coarse"]


def test_a_file_that_is_no_graph_is_named(bundle):
    (bundle.path / "rerank.onnx").write_bytes(b"\x08\x0a not a graph")
    with pytest.raises(InputError, match=r"rerank\.onnx"):
        source_graph(bundle.path / "rerank.onnx", Precision.FP16)


def test_what_is_kept_is_what_onboard_loads(bundle):
    engines = {name: f"engine of {name}".encode() for name in bundle.graphs}
    paths = _keep(bundle, engines, FP16, GPU, "10.3.0")
    found = fitting_engines(bundle, GPU, "10.3.0", read_record())
    assert {f.path for f in found.values()} == set(paths)
    assert {f.stamp.batch for f in found.values()} == {(1, 1, 16)}


def test_a_full_disk_leaves_no_engine(bundle, monkeypatch):
    real, written = whole_file.os.fsync, []

    def full(descriptor):
        written.append(descriptor)
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(whole_file.os, "fsync", full)
    before = sorted(p.name for p in bundle.path.iterdir())
    engines = {name: b"engine" for name in bundle.graphs}
    with pytest.raises(InputError, match="No space left on device"):
        _keep(bundle, engines, FP16, GPU, "10.3.0")
    assert sorted(p.name for p in bundle.path.iterdir()) == before


def test_a_cross_view_bundle_gets_no_engine(bundle, views):
    crossed = dataclasses.replace(bundle, kind=Kind.CROSS_VIEW)
    with pytest.raises(InputError, match="cross-view"):
        engine_set.build_engine_set(crossed, FP16, views)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("unifygeo-edg", "did you mean 'unifygeo-edge'?"),
        ("unifygeo-edge --batch 16,1", "--batch 16,1: give best and largest"),
        ("unifygeo-edge --batch x", "--batch x: give"),
        ("unifygeo-edge --dla --batch 4", "the DLA takes one size"),
        ("unifygeo-edge --precision int8", "needs --calibration"),
    ],
)
def test_a_wrong_line_is_one_sentence(line, says, capsys):
    assert main(["export", "engine", *line.split()]) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_without_a_gpu_the_command_says_what_is_missing(capsys):
    try:
        first_gpu()
    except InputError:
        assert main(["export", "engine", "unifygeo-edge"]) == 2
        assert "no GPU can be used" in capsys.readouterr().err
    else:
        pytest.skip("this machine has a GPU")


def test_int8_engines_are_parsed_from_symmetric_q_dq(bundle, views):
    data = source_graph(bundle.path / "model.onnx", Precision.INT8, views.gallery[:2])
    graph = onnx.load_from_string(data).graph
    weights = {i.name: onnx.numpy_helper.to_array(i) for i in graph.initializer}
    points = [n.input[2] for n in graph.node if n.op_type == "QuantizeLinear"]
    assert points
    for name in points:
        assert weights[name].dtype == np.int8 and not weights[name].any()
    (bundle.path / "model.onnx").write_bytes(data)
    assert source_graph(bundle.path / "model.onnx", Precision.INT8) == data
    assert is_mixed(
        onnx.load_from_string(source_graph(bundle.path / "decoder.onnx", Precision.INT8))
    )
