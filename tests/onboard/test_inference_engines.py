"""Engines are code: only those that this machine built for this bundle are loaded."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil

import pytest

from onboard.errors import InputError
from onboard.inference.engine_files import fitting_engines, has_engines
from onboard.inference.engine_record import Built, add_to_record, read_record, record_path
from onboard.inference.engine_stamp import (
    EngineStamp,
    read_engine,
    read_stamp,
    stamp_path,
    stamp_text,
)
from onboard.inference.gpu import Gpu
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle

ORIN = Gpu("Orin (nvgpu)", "8.7", "12.6")
TENSORRT = "10.3.0"


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def bundle(tmp_path):
    shutil.copytree(DEFAULT_BUNDLE, tmp_path / "bundle", ignore=shutil.ignore_patterns("*.engine*"))
    return load_bundle(tmp_path / "bundle")


def put(bundle, graph, precision="fp16", gpu=ORIN, tensorrt=TENSORRT, when="2026-11-21T00:00:00"):
    """Bytes that stand for an engine (nothing here runs it), stamped and recorded."""
    data = f"{graph} {precision} {gpu.name} {tensorrt}".encode()
    stamp = EngineStamp(
        graph=graph,
        source_sha256=bundle.files[graph],
        precision=precision,
        gpu=gpu.name,
        compute_capability=gpu.compute_capability,
        tensorrt=tensorrt,
        batch=(1, 1, 16),
        dla=False,
        engine_sha256=hashlib.sha256(data).hexdigest(),
    )
    path = bundle.path / stamp.file_name
    path.write_bytes(data)
    stamp_path(path).write_text(stamp_text(stamp))
    if when:
        add_to_record(Built(stamp, when))
    return path


def put_all(bundle, **how):
    return {graph: put(bundle, graph, **how) for graph in bundle.graphs}


def refusal(bundle, gpu=ORIN, tensorrt=TENSORRT):
    with pytest.raises(InputError) as caught:
        fitting_engines(bundle, gpu, tensorrt, read_record())
    said = str(caught.value)
    assert "\n" not in said and "pilotage export engine" in said
    return said


def test_the_name_says_gpu_version_and_precision(bundle):
    assert put(bundle, "model.onnx").name == "model.orin-nvgpu-10.3.0-fp16.engine"


def test_engines_built_here_are_found_and_their_bytes_read(bundle):
    paths = put_all(bundle)
    found = fitting_engines(bundle, ORIN, TENSORRT, read_record())
    assert {graph: file.path for graph, file in found.items()} == paths
    file = found["model.onnx"]
    assert read_engine(file.path, file.stamp) == paths["model.onnx"].read_bytes()
    assert read_stamp(file.path) == file.stamp


def test_the_precision_built_last_is_taken(bundle):
    put_all(bundle, precision="fp16", when="2026-11-21T10:00:00")
    put_all(bundle, precision="int8", when="2026-11-21T11:00:00")
    put_all(bundle, precision="fp32", when="2026-11-21T09:00:00")
    found = fitting_engines(bundle, ORIN, TENSORRT, read_record())
    assert {file.stamp.precision for file in found.values()} == {"int8"}


def test_a_set_that_lacks_a_graph_gives_way_to_a_complete_one(bundle):
    put_all(bundle, precision="fp16", when="2026-11-21T10:00:00")
    put(bundle, "model.onnx", precision="int8", when="2026-11-21T11:00:00")
    found = fitting_engines(bundle, ORIN, TENSORRT, read_record())
    assert {file.stamp.precision for file in found.values()} == {"fp16"}


def test_no_engine_is_said(bundle):
    assert not has_engines(bundle)
    assert "has no engine" in refusal(bundle)


def test_missing_graphs_are_named(bundle):
    put(bundle, "model.onnx")
    assert has_engines(bundle)
    assert "no fp16 engine of decoder.onnx, patches.onnx, rerank.onnx" in refusal(bundle)


def test_another_gpu_is_refused(bundle):
    put_all(bundle)
    said = refusal(bundle, gpu=Gpu("NVIDIA H200", "9.0", "13.0"))
    assert "was built for Orin (nvgpu) (compute capability 8.7)" in said and "H200" in said


def test_another_tensorrt_is_refused(bundle):
    put_all(bundle)
    assert "built by TensorRT 10.3.0, this machine has 10.16.1" in refusal(
        bundle, tensorrt="10.16.1"
    )


def test_an_engine_of_other_weights_is_refused(bundle):
    put_all(bundle)
    other = dataclasses.replace(bundle, files={n: "0" * 64 for n in bundle.files})
    assert "from another decoder.onnx" in refusal(other)


def test_an_engine_that_came_with_the_bundle_is_refused(bundle):
    put_all(bundle, when="")
    assert "was not built on this machine" in refusal(bundle)


def test_a_stamp_that_was_changed_after_the_build_is_refused(bundle):
    path = put_all(bundle)["decoder.onnx"]
    stamp = dataclasses.replace(read_stamp(path), batch=(1, 1, 64))
    stamp_path(path).write_text(stamp_text(stamp))
    assert "was not built on this machine" in refusal(bundle)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"graph": 3}'])
def test_a_broken_stamp_is_named(bundle, text):
    path = put_all(bundle)["decoder.onnx"]
    stamp_path(path).write_text(text)
    with pytest.raises(InputError, match=r"decoder\..*\.engine\.json"):
        fitting_engines(bundle, ORIN, TENSORRT, read_record())


def test_an_engine_without_a_stamp_is_named(bundle):
    path = put_all(bundle)["decoder.onnx"]
    stamp_path(path).unlink()
    assert "has no stamp" in refusal(bundle)


@pytest.mark.parametrize("spoil", [lambda b: b[:-1], lambda b: b"x" + b[1:], lambda b: b""])
def test_a_truncated_or_exchanged_engine_is_refused(bundle, spoil):
    put_all(bundle)
    file = fitting_engines(bundle, ORIN, TENSORRT, read_record())["model.onnx"]
    file.path.write_bytes(spoil(file.path.read_bytes()))
    with pytest.raises(InputError, match="sha256 is not the one in its stamp"):
        read_engine(file.path, file.stamp)


def test_the_record_survives_a_round_and_forgets_no_one(bundle):
    assert read_record().engines == ()
    put_all(bundle)
    put_all(bundle, precision="int8")
    put_all(bundle)
    record = read_record()
    assert len(record.engines) == 2 * len(bundle.graphs)
    assert record.find("0" * 64) is None


@pytest.mark.parametrize("text", ["", "[]", '{"engines": 3}', '{"engines": [{"stamp": {}}]}'])
def test_a_damaged_record_is_named(text):
    record_path().parent.mkdir(parents=True)
    record_path().write_text(text)
    with pytest.raises(InputError, match=r"engines\.json"):
        read_record()


def test_a_record_that_cannot_be_written_is_one_sentence(bundle, tmp_path):
    (tmp_path / "state").write_text("a file in the way")
    with pytest.raises(InputError, match="cannot be"):
        put(bundle, "model.onnx")


def test_the_record_is_plain_json_with_a_time(bundle):
    put(bundle, "model.onnx")
    (entry,) = json.loads(record_path().read_text())["engines"]
    assert entry["built_utc"].startswith("2026") and entry["stamp"]["graph"] == "model.onnx"
