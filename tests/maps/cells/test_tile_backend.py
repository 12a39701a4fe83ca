"""All of a store's tiles are described on one backend, whatever the machines have."""

import dataclasses

import pytest

from maps.build import BuildRequest, build_pack
from maps.cells.cell import Cell
from maps.cells.describe import describe_task
from maps.cells.recipe import open_recipe
from maps.cells.store import CellMark, CellStore, Step
from maps.cells.tile_backend import TileBackend, settled_backend
from onboard.errors import BackendError, InputError
from onboard.inference import Backend, network
from onboard.inference.choose import Opened, open_graphs
from onboard.model_bundle import load_bundle
from tests.maps.cells.small_recipe import recipe_of
from tests.maps.small_imagery import texture, write_xyz

LEVEL, X0, Y0 = 14, 190 * 32, 125 * 32  # where four cells of level 9 meet
ENGINES = TileBackend(Backend.TENSORRT, "fp16")


class Gpu:
    """Stands for engines: the CPU's answers, until it breaks."""

    def __init__(self, monkeypatch, precision="fp16"):
        self.precision, self.tiles_left = precision, 10**6
        monkeypatch.setattr(network, "open_graphs", self._open)

    def _open(self, bundle, wanted=Backend.AUTO, threads=None):
        if wanted is Backend.ONNXRUNTIME_CPU:
            return open_graphs(bundle, wanted, threads)
        cpu = open_graphs(bundle, Backend.ONNXRUNTIME_CPU, threads)
        graphs = {name: _Breaking(graph, self) for name, graph in cpu.graphs.items()}
        return Opened(graphs, Backend.TENSORRT, "tensorrt 10.3.0 on a GPU", self.precision)


class _Breaking:
    def __init__(self, graph, gpu):
        self._graph, self._gpu = graph, gpu

    def run(self, outputs, inputs):
        self._gpu.tiles_left -= len(inputs["pictures"])
        if self._gpu.tiles_left < 0:
            raise BackendError("an illegal memory access")
        return self._graph.run(outputs, inputs)

    def close(self):
        self._graph.close()


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture
def build(tmp_path, bundle):
    imagery = write_xyz(tmp_path / "t", texture(768, 768), LEVEL, X0 - 2, Y0 - 2)

    def run(backend=Backend.AUTO):
        options = {"levels": (LEVEL,), "store": str(tmp_path / "s"), "backend": backend}
        return build_pack(BuildRequest((imagery,), None, **options), bundle)

    return run


def keys(tmp_path):
    store = CellStore(str(tmp_path / "s"))
    marks = {cell: store.mark(cell, Step.DESCRIBE) for cell in store.cells()}
    return {cell: mark.key for cell, mark in marks.items() if mark is not None}


def test_auto_is_settled_to_what_is_there(bundle, monkeypatch):
    monkeypatch.setattr("onboard.inference.choose.has_engines", lambda bundle: False)
    monkeypatch.setattr("onboard.inference.choose.has_provider", lambda backend: False)
    assert settled_backend(bundle, Backend.AUTO) == TileBackend(Backend.ONNXRUNTIME_CPU)
    Gpu(monkeypatch)
    assert settled_backend(bundle, Backend.AUTO) == ENGINES
    assert settled_backend(bundle, Backend.TENSORRT) == ENGINES
    assert ENGINES.name == "tensorrt fp16"


def test_a_named_backend_need_not_be_here(bundle):
    named = settled_backend(bundle, Backend.ONNXRUNTIME_CUDA)
    assert named == TileBackend(Backend.ONNXRUNTIME_CUDA) and named.name == "onnxruntime-cuda"


def test_the_key_of_a_cell_says_the_backend_and_its_precision():
    cell, laid = Cell(9, 190, 125), CellMark("k", (), (), ("a", "b", "c"))
    recipe = recipe_of([], (LEVEL,))
    found = set()
    for backend in (*map(TileBackend, Backend), ENGINES, TileBackend(Backend.TENSORRT, "int8")):
        of = dataclasses.replace(recipe, backend=backend)
        found.add(describe_task(cell, of, [None, laid, laid, laid]).key)
    assert len(found) == len(Backend) + 2


def test_a_store_of_one_backend_is_described_anew_on_another(build, tmp_path, monkeypatch):
    first = build()
    on_cpu = keys(tmp_path)
    assert first.described == first.tiles > 0 and build().described == 0
    gpu = Gpu(monkeypatch)
    assert build().described == first.tiles and build().described == 0
    on_fp16 = keys(tmp_path)
    gpu.precision = "int8"
    assert build().described == first.tiles
    assert build(Backend.ONNXRUNTIME_CPU).described == first.tiles
    assert keys(tmp_path) == on_cpu and set(on_cpu.values()).isdisjoint(on_fp16.values())


def test_a_gpu_that_fails_midway_is_not_given_up_for_the_cpu(build, tmp_path, monkeypatch):
    gpu = Gpu(monkeypatch)
    gpu.tiles_left = 20
    with pytest.raises(InputError, match=r"10\.3\.0 on a GPU failed .* illegal .*goes on") as said:
        build()
    assert "\n" not in str(said.value)
    gpu.tiles_left, before = 10**6, keys(tmp_path)
    whole = build()
    assert whole.described > 0 and before.items() < keys(tmp_path).items()


def test_engines_of_another_precision_are_refused(bundle, monkeypatch):
    Gpu(monkeypatch, "int8")
    opened = open_recipe(dataclasses.replace(recipe_of([], (LEVEL,)), backend=ENGINES))
    with pytest.raises(InputError, match=r"on tensorrt int8 here, the map .* on tensorrt fp16; "):
        _ = opened.describer
