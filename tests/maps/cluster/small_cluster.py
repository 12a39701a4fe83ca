"""A real scheduler and real workers, each a process of its own, and a small map to make."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import maps
from maps.cells.cell import Cell
from maps.cells.lay import LayTask, lay_task
from maps.cells.recipe import Opened, Recipe, open_recipe
from maps.cells.run_here import Tally
from maps.cells.store import SCRATCH_NAME, CellStore, Step
from maps.cells.update import begin_update, end_update
from maps.cluster.run_there import cluster_at
from onboard.model_bundle import load_bundle
from onboard.pack.pack_manifest import ImagerySource, PackModel
from tests.maps.small_imagery import texture, write_xyz

LEVELS = (17, 18)
STARTS_S = 60.0
ROOT = Path(maps.__file__).resolve().parents[1]  # the workers' Pilotage is that of the tests


class SmallCluster:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contact = folder / "scheduler.json"
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._all: list[subprocess.Popen[bytes]] = []

    @property
    def address(self) -> str:
        return str(json.loads(self._contact.read_text())["address"])

    def start_scheduler(self) -> None:
        self._contact.unlink(missing_ok=True)
        self.scheduler = self._start(
            "dask_scheduler", "--port", "0", "--host", "127.0.0.1", "--no-dashboard",
            "--scheduler-file", str(self._contact),
        )  # fmt: skip
        wait_for(lambda: self._contact.exists() and self._contact.read_text().endswith("}"))

    def start_worker(self, name: str, before: tuple[str, ...] = (), **env: str) -> None:
        """before: words before the command, as another root of the files."""
        self.workers[name] = self._start(
            "dask_worker", self.address, "--nthreads", "1", "--name", name, "--no-nanny",
            "--no-dashboard", "--host", "127.0.0.1", before=before, env=env,
        )  # fmt: skip

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()

    def log(self, process: subprocess.Popen[bytes]) -> str:
        return (self._folder / f"{self._all.index(process)}.log").read_text()

    def stop(self) -> None:
        for process in self._all:
            if process.poll() is None:
                self.kill(process)

    def _start(
        self,
        module: str,
        *words: str,
        before: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{len(self._all)}.log").open("wb")
        command = [*before, sys.executable, "-m", f"distributed.cli.{module}", *words]
        process = subprocess.Popen(
            command,
            cwd=self._folder,
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **(env or {})},
        )
        self._all.append(process)
        return process


@contextlib.contextmanager
def small_cluster(folder: Path, *workers: str) -> Iterator[SmallCluster]:
    folder.mkdir()
    cluster = SmallCluster(folder)
    try:
        cluster.start_scheduler()
        for name in workers:
            cluster.start_worker(name)
        yield cluster
    finally:
        cluster.stop()


def small_recipe(folder: Path) -> Recipe:
    """An XYZ folder around a corner of four cells, with its ground in all of them."""
    picture = texture(1024, 1024, seed=5)
    write_xyz(folder / "xyz", np.ascontiguousarray(picture), 18, 32 * 6000 - 2, 32 * 3000 - 2)
    bundle = load_bundle()
    return Recipe(
        inputs=(folder / "xyz",),
        crs=None,
        levels=LEVELS,
        area_wkt=None,
        imagery=(ImagerySource("xyz", "unknown", "unknown", "unknown"),),
        model=PackModel(bundle.id, bundle.sha256, bundle.descriptor_dim),
        model_folder=bundle.path,
    )


def make(opened: Opened, store: CellStore, cluster: str) -> Tally:
    tasks = tasks_of(opened)
    with store.locked(), cluster_at(cluster, opened, store, tasks) as run:
        begin_update(store, opened, False)
        tally = run()
        end_update(store, opened, tally.laid)
    return tally


def tasks_of(opened: Opened) -> list[LayTask]:
    return [lay_task(opened, cell) for cell in opened.cells()]


def files_of(folder: Path) -> dict[str, bytes]:
    """All but a killed worker's scratch, which the next build clears."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and SCRATCH_NAME not in path.parts
    }


def described_cells(store: CellStore) -> list[Cell]:
    """Those with tiles."""
    marks = {cell: store.mark(cell, Step.DESCRIBE) for cell in store.cells()}
    return [cell for cell, mark in marks.items() if mark is not None and mark.count]


def wait_for_first_cell(store: CellStore) -> None:
    wait_for(lambda: bool(described_cells(store)))


def wait_for(there) -> None:  # type: ignore[no-untyped-def]
    begin = time.monotonic()
    while not there():
        assert time.monotonic() - begin < STARTS_S
        time.sleep(0.02)


__all__ = ["SmallCluster", "open_recipe", "small_cluster", "small_recipe"]
