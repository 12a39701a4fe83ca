"""Who may work on a map, and what is said to the person of who may not."""

import dataclasses
import shutil
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs dask: pip install 'pilotage[cluster]'")

import maps
from maps.build import BuildRequest, build_pack
from maps.cells.recipe import open_recipe
from maps.cells.run_here import run_here
from maps.cells.store import CellStore
from maps.cells.tile_backend import TileBackend
from maps.cluster import run_there, scheduler, worker_watch
from maps.cluster.environment import difference, environment
from maps.cluster.run_there import cluster_at
from maps.cluster.workbench import Job, refusal
from onboard.errors import InputError
from onboard.inference import Backend, network
from onboard.inference.choose import Opened, open_graphs
from onboard.inference.onnx_runtime import has_provider
from onboard.model_bundle import load_bundle
from tests.maps.cluster.small_cluster import (
    ROOT,
    files_of,
    make,
    small_cluster,
    small_recipe,
    tasks_of,
    wait_for,
)

can_hide = subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0
needs_hiding = pytest.mark.skipif(
    not can_hide, reason="hides a folder from a worker by a mount: run as root, with unshare"
)


def hiding(folder):
    """Words before a command that then finds the folder empty, as on another machine."""
    hide = f'mount -t tmpfs none "{folder}" && exec "$@"'
    return ("unshare", "-m", "sh", "-c", hide, "sh")


def showing(folder, instead):
    hide = f'mount --bind "{instead}" "{folder}" && exec "$@"'
    return ("unshare", "-m", "sh", "-c", hide, "sh")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """With a model of its own folder."""
    folder = tmp_path_factory.mktemp("imagery")
    made = small_recipe(folder)
    shutil.copytree(made.model_folder, folder / "model")
    return dataclasses.replace(made, model_folder=folder / "model")


@pytest.fixture(scope="module")
def opened(recipe):
    return open_recipe(recipe)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Without workers."""
    with small_cluster(tmp_path_factory.mktemp("cluster") / "c") as running:
        yield running


@pytest.fixture
def refused(cluster, opened, tmp_path, monkeypatch):
    """Starts one worker, and gives the sentence by which a build with it is refused."""
    monkeypatch.setattr(scheduler, "FIRST_WORKER_S", 30.0)

    def run(name, store=None, before=(), opened=opened, **env):
        cluster.start_worker(name, before, **env)
        try:
            with pytest.raises(InputError) as raised:
                make(opened, store or CellStore(str(tmp_path / "store")), cluster.address)
        finally:
            cluster.kill(cluster.workers[name])
        said = str(raised.value)
        assert "\n" not in said and said.startswith(f"worker {name} on ")
        return said

    yield run
    assert not list((tmp_path / "store").glob("z*")) and not (tmp_path / "store.json").exists()


@needs_hiding
def test_a_worker_that_cannot_see_the_imagery(refused, recipe):
    said = refused("blind", before=hiding(recipe.inputs[0]))
    assert str(recipe.inputs[0]) in said


@needs_hiding
def test_a_worker_that_sees_other_imagery_there(refused, recipe, tmp_path):
    other = small_recipe(tmp_path).inputs[0]
    tile = next(other.rglob("*.png"))
    tile.write_bytes(tile.read_bytes() + b" ")
    assert "sees other imagery" in refused("squinting", before=showing(recipe.inputs[0], other))


@needs_hiding
def test_a_worker_that_cannot_see_the_store(refused, tmp_path):
    (tmp_path / "store").mkdir()
    said = refused("elsewhere", before=hiding(tmp_path / "store"))
    assert f"does not see this machine's store at {tmp_path / 'store'}" in said


@needs_hiding
def test_a_worker_with_another_model_there(refused, recipe):
    other = ROOT / "onboard" / "models" / "gengeo-edge"
    said = refused("stranger", before=showing(recipe.model_folder, other))
    assert "holds model gengeo-edge-1" in said and recipe.model.id in said


@pytest.mark.skipif(has_provider(Backend.ONNXRUNTIME_CUDA), reason="its workers have CUDA")
def test_a_worker_without_the_backend_of_the_map(refused, recipe):
    backend = TileBackend(Backend.ONNXRUNTIME_CUDA)
    there = open_recipe(dataclasses.replace(recipe, backend=backend))
    assert "has no CUDAExecutionProvider" in refused("slow", opened=there)


def test_a_worker_whose_engines_compute_otherwise(opened, recipe, tmp_path, monkeypatch):
    asked = dataclasses.replace(recipe, backend=TileBackend(Backend.TENSORRT, "fp16"))
    job = Job("j", asked, CellStore(str(tmp_path / "s")), environment(), tasks_of(opened)[0])
    cpu = open_graphs(load_bundle(), Backend.ONNXRUNTIME_CPU)
    theirs = Opened(cpu.graphs, Backend.TENSORRT, "tensorrt", "int8")
    monkeypatch.setattr(network, "open_graphs", lambda *args: theirs)
    said = refusal(job)
    assert "tensorrt int8 here, the map is described on tensorrt fp16" in said
    assert said.startswith("says: ") and "\n" not in said


def test_a_worker_of_another_pilotage(refused, tmp_path):
    for layer in ("onboard", "maps"):
        shutil.copytree(ROOT / layer, tmp_path / layer, ignore=_models)
    changed = tmp_path / "maps" / "pixels.py"
    changed.write_text(changed.read_text() + "\n# changed\n")
    assert "runs another Pilotage" in refused("older", PYTHONPATH=str(tmp_path))


def _models(folder, names):
    return {"models"} if Path(folder).name == "onboard" else set()


def test_a_worker_without_pilotage(refused, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['maps'] = None\n")
    said = refused("bare", PYTHONPATH=str(tmp_path))
    assert "lacks a package" in said and "pip install" in said


def test_a_store_in_this_process_alone(refused):
    said = refused("far", store=CellStore("memory://nobody-elses"))
    assert "does not see this machine's store at memory://nobody-elses" in said


@needs_hiding
def test_one_that_joins_later_and_may_not_work_leaves(cluster, opened, recipe, tmp_path):
    store = CellStore(str(tmp_path / "store"))
    tasks = tasks_of(opened)
    cluster.start_worker("good")
    try:
        with store.locked(), cluster_at(cluster.address, opened, store, tasks) as run:
            cluster.start_worker("late", hiding(recipe.inputs[0]))
            late = cluster.workers["late"]
            wait_for(lambda: late.poll() is not None)
            assert f"worker late on {_host()} says: {recipe.inputs[0]}" in cluster.log(late)
            tally = run()
    finally:
        cluster.kill(cluster.workers["good"])
    alone = CellStore(str(tmp_path / "alone"))
    with alone.locked():
        assert run_here(opened, alone, tasks).tiles == tally.tiles > 0
    theirs = {n: d for n, d in files_of(store.folder).items() if n.startswith("z")}
    assert theirs == {n: d for n, d in files_of(alone.folder).items() if n.startswith("z")}


def _host():
    import socket

    return socket.gethostname()


def test_a_scheduler_without_workers(cluster, opened, tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "FIRST_WORKER_S", 0.5)
    with pytest.raises(InputError, match="has no workers; start some with 'dask worker tcp://"):
        make(opened, CellStore(str(tmp_path / "store")), cluster.address)


def test_all_workers_gone_for_too_long(cluster, opened, tmp_path, monkeypatch):
    monkeypatch.setattr(worker_watch, "WITHOUT_WORKERS_S", 0.5)
    monkeypatch.setattr(run_there, "LOOK_S", 0.3)
    store = CellStore(str(tmp_path / "store"))
    cluster.start_worker("leaving")
    with (
        pytest.raises(InputError, match="no worker has been there for"),
        store.locked(),
        cluster_at(cluster.address, opened, store, tasks_of(opened)) as run,
    ):
        cluster.kill(cluster.workers["leaving"])
        run()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("tcp://127.0.0.1:9", "no scheduler answers there within"),
        ("tcp://no-such-host.invalid:8786", "no scheduler answers there within"),
        ("127.0.0.1:8786", "write it as tcp://HOST:8786"),
        ("http://127.0.0.1:8786", "write it as tcp://HOST:8786"),
        ("tcp://127.0.0.1", "write it as tcp://HOST:8786"),
        ("tcp://127.0.0.1:x", "write it as tcp://HOST:8786"),
    ],
)
def test_no_scheduler_at_the_address_is_said_within_seconds(
    opened, tmp_path, monkeypatch, address, says
):
    monkeypatch.setattr(scheduler, "CONNECT_S", 1.0)
    begin = time.monotonic()
    with pytest.raises(InputError, match=says):
        make(opened, CellStore(str(tmp_path / "store")), address)
    assert time.monotonic() - begin < 10


def test_a_cluster_needs_a_lasting_store(recipe, tmp_path):
    with pytest.raises(InputError, match="needs a --store"):
        BuildRequest(recipe.inputs, tmp_path / "a.pack", cluster="tcp://127.0.0.1:8786")


def test_an_unreachable_cluster_leaves_a_finished_store_as_it_is(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(scheduler, "CONNECT_S", 1.0)
    request = BuildRequest(recipe.inputs, None, levels=(17,), store=str(tmp_path / "store"))
    build_pack(request, load_bundle())
    before = files_of(tmp_path / "store")
    with pytest.raises(InputError, match="no scheduler answers"):
        build_pack(dataclasses.replace(request, cluster="tcp://127.0.0.1:9"), load_bundle())
    assert files_of(tmp_path / "store") == before


def test_any_other_version_makes_a_difference():
    ours = environment()
    assert difference(ours, ours) is None
    for number, (name, version) in enumerate(ours.versions):
        changed = [*ours.versions]
        changed[number] = (name, version + "1")
        theirs = dataclasses.replace(ours, versions=tuple(changed))
        assert difference(theirs, ours) == f"has {name} {version}1, here is {version}"
    theirs = dataclasses.replace(ours, code="0" * 64)
    assert difference(theirs, ours).startswith("runs another Pilotage")
    assert difference(dataclasses.replace(ours, processor="another"), ours) is None
    assert Path(maps.__file__).is_relative_to(ROOT)
