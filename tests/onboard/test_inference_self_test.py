"""A backend whose answers are off is refused before the flight, with the figure."""

from __future__ import annotations

import dataclasses
import shutil
import time

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.inference import Backend
from onboard.inference.choose import open_graphs
from onboard.inference.self_test import self_test
from onboard.model_bundle import DEFAULT_BUNDLE, SelfTest, load_bundle

COARSE_STEP, FINE_STEP = 4, 8


class Spoiled:
    """A real graph whose answers pass through `change` (output name, array) first."""

    def __init__(self, graph, change):
        self._graph, self._change = graph, change
        self.input_names, self.output_names = graph.input_names, graph.output_names

    def run(self, outputs, inputs):
        answers = self._graph.run(outputs, inputs)
        return [self._change(n, a) for n, a in zip(outputs, answers, strict=True)]

    def close(self):
        self._graph.close()


@pytest.fixture(scope="module")
def graphs():
    return open_graphs(load_bundle(), Backend.ONNXRUNTIME_CPU, threads=1).graphs


@pytest.fixture(scope="module")
def bundle(tmp_path_factory, graphs):
    """The shipped one with a self-test of its own CPU answers."""
    folder = tmp_path_factory.mktemp("self") / "bundle"
    shutil.copytree(DEFAULT_BUNDLE, folder)
    blocks = np.random.default_rng(0).integers(1, 256, (1, 32, 32, 3), dtype=np.uint8)
    pictures = blocks.repeat(8, 1).repeat(8, 2)
    names = ["descriptor", "coarse", "fine"]
    descriptor, coarse, fine = graphs["model.onnx"].run(names, {"pictures": pictures})
    np.savez(
        folder / "mine.npz",
        pictures=pictures,
        descriptor=descriptor,
        coarse_sample=coarse[:, :, ::COARSE_STEP, ::COARSE_STEP],
        fine_sample=fine[:, :, ::FINE_STEP, ::FINE_STEP],
    )
    limits = SelfTest("mine.npz", 0.05, 0.999, COARSE_STEP, FINE_STEP)
    return dataclasses.replace(load_bundle(folder), self_test=limits)


def spoil(graphs, file, change):
    return {**graphs, file: Spoiled(graphs[file], change)}


def refused(bundle, graphs, int8=False):
    with pytest.raises(InputError) as caught:
        self_test(bundle, graphs, "tensorrt 10.3.0 fp16 on Orin", int8)
    said = str(caught.value)
    assert said.startswith("tensorrt 10.3.0 fp16 on Orin answers wrongly") and "\n" not in said
    return said


def test_right_answers_pass(bundle, graphs):
    self_test(bundle, graphs, "onnxruntime-cuda", int8=False)


def test_rounding_of_fp16_passes(bundle, graphs):
    def half(name, array):
        return array.astype(np.float16).astype(np.float32)

    self_test(bundle, spoil(graphs, "model.onnx", half), "tensorrt", int8=False)


@pytest.mark.parametrize("output", ["descriptor", "coarse", "fine"])
def test_another_direction_is_refused_with_its_cosine(bundle, graphs, output):
    def other(name, array):
        return np.roll(array, 1, axis=1) if name == output else array

    said = refused(bundle, spoil(graphs, "model.onnx", other))
    assert f"output '{output}' has cosine" in said and "below 0.999" in said


def test_one_wrong_entry_is_refused_with_its_size(bundle, graphs):
    def one(name, array):
        array = array.copy()
        if name == "fine":
            array[0, 0, 0, 0] += 0.06
        return array

    assert "output 'fine' differs from the stored answer by 0.06" in refused(
        bundle, spoil(graphs, "model.onnx", one)
    )


@pytest.mark.parametrize(
    ("file", "output"),
    [
        ("model.onnx", "descriptor"),
        ("rerank.onnx", "coarse_heatmap"),
        ("decoder.onnx", "heatmap"),
        ("patches.onnx", "scores"),
    ],
)
def test_a_nan_is_refused_in_every_graph(bundle, graphs, file, output):
    def nan(name, array):
        return np.full_like(array, np.nan) if name == output else array

    assert f"output '{output}' is not finite" in refused(bundle, spoil(graphs, file, nan))


@pytest.mark.parametrize(
    ("file", "output"),
    [
        ("rerank.onnx", "coarse_heatmap"),
        ("decoder.onnx", "heatmap"),
        ("patches.onnx", "scores"),
    ],
)
def test_scores_that_peak_beside_the_truth_are_refused(bundle, graphs, file, output):
    """Finite and smooth, but every place is one cell off: the engine's most dangerous fault."""

    def shifted(name, array):
        return np.roll(array, 1, axis=-1) if name == output else array

    said = refused(bundle, spoil(graphs, file, shifted))
    assert f"output '{output}' does not find the picture in itself" in said


def test_int8_may_be_further_off_but_not_anywhere(bundle, graphs):
    def coarse_steps(name, array):
        step = np.abs(array).max() / 6
        return (array / step).round() * step if name == "descriptor" else array

    refused(bundle, spoil(graphs, "model.onnx", coarse_steps))
    self_test(bundle, spoil(graphs, "model.onnx", coarse_steps), "tensorrt int8", int8=True)
    refused(bundle, spoil(graphs, "model.onnx", lambda n, a: np.roll(a, 1, 1)), int8=True)


def test_without_a_stored_answer_a_gpu_is_not_trusted(bundle, graphs):
    bare = dataclasses.replace(bundle, self_test=None)
    with pytest.raises(InputError, match=r"holds no self-test.*export the bundle again"):
        self_test(bare, graphs, "onnxruntime-cuda", int8=False)


@pytest.mark.parametrize("damage", [b"", b"PK no archive", b"PK\x03\x04 cut short"])
def test_a_damaged_self_test_is_named(bundle, graphs, tmp_path, damage):
    (tmp_path / "mine.npz").write_bytes(damage)
    with pytest.raises(InputError, match=r"mine\.npz: not a self-test"):
        self_test(dataclasses.replace(bundle, path=tmp_path), graphs, "tensorrt", int8=False)


def test_a_stored_nan_agrees_with_nothing(bundle, graphs, tmp_path):
    with np.load(bundle.path / "mine.npz") as file:
        stored = dict(file)
    stored["descriptor"][0, 3] = np.nan
    np.savez(tmp_path / "mine.npz", **stored)
    refused(dataclasses.replace(bundle, path=tmp_path), graphs)


def test_it_takes_less_than_a_second(bundle, graphs):
    begin = time.process_time()
    self_test(bundle, graphs, "onnxruntime-cpu", int8=False)
    assert time.process_time() - begin < 1.0
