"""Maps made by real workers: the same bytes, whoever dies on the way."""

import threading
import time

import pytest

pytest.importorskip("distributed", reason="needs dask: pip install 'pilotage[cluster]'")

from maps.cells.recipe import open_recipe
from maps.cells.run_here import run_here
from maps.cells.store import CellStore
from maps.cells.update import begin_update, end_update
from onboard.errors import InputError
from tests.maps.cluster.small_cluster import (
    described_cells,
    files_of,
    make,
    small_cluster,
    small_recipe,
    tasks_of,
    wait_for_first_cell,
)
from tools.cli import main


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    return open_recipe(small_recipe(tmp_path_factory.mktemp("imagery")))


@pytest.fixture(scope="module")
def made_here(opened, tmp_path_factory):
    """The files of a store that this machine made alone."""
    store = CellStore(str(tmp_path_factory.mktemp("here") / "store"))
    with store.locked():
        begin_update(store, opened, False)
        end_update(store, opened, run_here(opened, store, tasks_of(opened)).laid)
    return files_of(store.folder)


class _Build(threading.Thread):
    """A build at work, so that something can be done to it."""

    def __init__(self, opened, store, address):
        super().__init__(daemon=True)
        self._words = opened, store, address
        self.tally, self.error = None, None
        self.start()

    def run(self):
        try:
            self.tally = make(*self._words)
        except InputError as e:
            self.error = str(e)


def test_a_worker_killed_midway_changes_no_byte(opened, made_here, tmp_path):
    store = CellStore(str(tmp_path / "store"))
    with small_cluster(tmp_path / "cluster", "one", "two") as cluster:
        build = _Build(opened, store, cluster.address)
        wait_for_first_cell(store)
        cluster.kill(cluster.workers["one"])
        left = len(described_cells(store))
        build.join(120)
        assert build.error is None and left < 4
        # A cell whose maker died before saying so counts as one that was there.
        assert build.tally.done + build.tally.there == 4
        assert files_of(store.folder) == made_here
        again = make(opened, store, cluster.address)
        assert (again.done, again.there, again.described) == (0, 4, 0)
        assert again.tiles == build.tally.tiles
    assert files_of(store.folder) == made_here


def test_after_a_lost_scheduler_the_next_goes_on(opened, made_here, tmp_path):
    store = CellStore(str(tmp_path / "store"))
    with small_cluster(tmp_path / "cluster", "one") as cluster:
        build = _Build(opened, store, cluster.address)
        wait_for_first_cell(store)
        cluster.kill(cluster.scheduler)
        begin = time.monotonic()
        build.join(60)
        assert time.monotonic() - begin < 15
        assert (
            build.error.startswith("the scheduler was lost; start it") and "\n" not in build.error
        )
        cluster.kill(cluster.workers["one"])
        there = len(described_cells(store))
        cluster.start_scheduler()
        cluster.start_worker("three")
        tally = make(opened, store, cluster.address)
        assert 0 < there < 4 and tally.done + tally.there == 4
        assert 0 < tally.described < tally.tiles
    assert files_of(store.folder) == made_here


def test_the_command_makes_the_same_pack_on_a_cluster(opened, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(opened.recipe.inputs[0].parent)  # a path that workers cannot follow as it is
    words = ["map", "build", "xyz", "--levels", "17-18", "--name", "same"]
    assert main([*words, "--out", str(tmp_path / "here.pack")]) == 0
    with small_cluster(tmp_path / "cluster", "one", "two") as cluster:
        there = ["--cluster", cluster.address, "--store", str(tmp_path / "store")]
        assert main([*words, *there, "--out", str(tmp_path / "there.pack")]) == 0
    assert "cells: 4 made, 0 were there" in capsys.readouterr().out
    assert files_of(tmp_path / "here.pack") == files_of(tmp_path / "there.pack")


def test_a_damaged_tile_is_said_with_the_workers_name(tmp_path):
    recipe = small_recipe(tmp_path)
    tile = next((tmp_path / "xyz").rglob("*.png"))
    tile.write_bytes(tile.read_bytes()[:200])
    with (
        small_cluster(tmp_path / "cluster", "one") as cluster,
        pytest.raises(InputError, match=r"worker one on .*: tile 18/\d+/\d+: is no whole"),
    ):
        make(open_recipe(recipe), CellStore(str(tmp_path / "store")), cluster.address)
