"""Lays and describes cells on a cluster. What is finished lies in the store: whatever is lost on
the way, a worker or the scheduler, the same build goes on from there."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import Any

from distributed import Future, KilledWorker
from tqdm import tqdm

from maps.cells.cell import Cell, in_order
from maps.cells.describe import HALF_STEPS
from maps.cells.lay import LayTask
from maps.cells.recipe import Opened
from maps.cells.run_here import Tally
from maps.cells.store import CellStore
from maps.cluster.environment import environment
from maps.cluster.meeting_place import leave, left, tidy
from maps.cluster.scheduler import (
    GOES_ON,
    LOST,
    Client,
    check_workers,
    connected,
    made_ready,
    odd_processors,
)
from maps.cluster.workbench import Job, Made, describe_there, lay_there
from maps.cluster.worker_watch import WorkerWatch
from maps.progress import progress_s
from onboard.errors import InputError

LOOK_S = 2.0  # how often the workers are counted while nothing comes


@contextlib.contextmanager
def cluster_at(
    address: str, opened: Opened, store: CellStore, tasks: Sequence[LayTask]
) -> Iterator[Callable[[], Tally]]:
    """Meets the workers of the scheduler at the address, and hands out what does with them what
    `run_here` does; the same bytes. tasks: of all cells.

    Raises InputError: no scheduler, no worker or one that may not work on it (by name); calling
    it: the scheduler lost, and what `run_here` raises.
    """
    job = _job(opened, store, tasks[0])
    with connected(address) as client:
        leave(job.store, job.name)  # stays: workers may join later
        try:
            _admit(client, job)
            with made_ready(client, job):
                yield _Flow(client, job, tasks).run
        finally:
            tidy(job.store, job.name)


def _job(opened: Opened, store: CellStore, sample: LayTask) -> Job:
    """With paths that hold in any working folder."""
    recipe = dataclasses.replace(
        opened.recipe,
        inputs=tuple(path.resolve() for path in opened.recipe.inputs),
        model_folder=opened.recipe.model_folder.resolve(),
        dems=tuple(path.resolve() for path in opened.recipe.dems),
    )
    place = store if store.folder is None else CellStore(str(store.folder.resolve()))
    return Job(f"pilotage-{uuid.uuid4().hex}", recipe, place, environment(), sample)


def _admit(client: Client, job: Job) -> None:
    workers = check_workers(client, job)
    if len(left(job.store, f"{job.name}-")) < workers:
        raise InputError(
            f"--store {job.store.url}: a worker wrote into it what this machine does not see; "
            "give a store that all share"
        )
    kinds = odd_processors(client)
    if kinds:
        print(
            f"the processors differ ({', '.join(sorted(kinds))}): descriptors may differ from "
            "those of one machine in their last bits",
            file=sys.stderr,
        )


class _Flow:
    """The tasks of one build on their way."""

    def __init__(self, client: Client, job: Job, tasks: Sequence[LayTask]) -> None:
        self._client, self._job, self.tally = client, job, Tally()
        self._tasks = {task.cell: task for task in tasks}
        self._fresh: set[Cell] = set()
        self._done: queue.SimpleQueue[Future[Made]] = queue.SimpleQueue()
        self._waiting: dict[str, tuple[Cell, int]] = {}  # by Dask's key: the cell, its tiles
        self._kept: list[Future[Made]] = []  # Dask drops a task that nobody holds

    def run(self) -> Tally:
        """Every cell laid and described."""
        self._submit()
        total = sum(tiles for _, tiles in self._waiting.values())
        with tqdm(total=total, desc="tiles", unit="tile", mininterval=progress_s()) as bar:
            while self._waiting:
                future = self._next()
                cell, tiles = self._waiting[str(future.key)]
                made = _result(future, cell)
                if made is None:
                    self._done.put(future)
                    continue
                del self._waiting[str(future.key)]
                self._note(str(future.key), cell, made)
                bar.update(tiles)
        return self.tally

    def _submit(self) -> None:
        """A cell is described as soon as it and its neighbours are laid: its priority is the
        higher, so that few laid cells wait."""
        laying: dict[Cell, Future[Made]] = {}
        for number, (at, task) in enumerate(self._tasks.items()):
            laying[at] = self._add("lay", at, task.tiles, -number, lay_there, task)
        for cell in in_order({near for at in self._tasks for near in at.needing()}):
            needed = [laying.get(near) for near in cell.needed()]
            tiles = self._to_describe(cell)
            self._add("describe", cell, tiles, len(laying), describe_there, cell, *needed)

    def _add(
        self,
        step: str,
        cell: Cell,
        tiles: int,
        priority: int,
        work: Callable[..., Made],
        *args: object,
    ) -> Future[Made]:
        key = f"{step}-{cell.name}-{self._job.name}"
        future: Any = self._client.submit(work, self._job.name, *args, key=key, priority=priority)
        self._waiting[key] = cell, tiles
        self._kept.append(future)
        future.add_done_callback(self._done.put)
        added: Future[Made] = future
        return added

    def _to_describe(self, cell: Cell) -> int:
        task, levels = self._tasks.get(cell), self._job.recipe.levels
        if task is None:
            return 0
        return sum(HALF_STEPS * -(-task.tiles // 4 ** (levels[-1] - level)) for level in levels)

    def _note(self, key: str, cell: Cell, made: Made) -> None:
        if key.startswith("lay"):
            assert made.mark is not None
            self.tally.laid[cell] = made.mark
            if made.now:
                self._fresh.add(cell)
            return
        if made.mark is not None:
            self.tally.tiles += made.mark.count
            self.tally.described += made.mark.count if made.now else 0
        if cell not in self._tasks:  # beside the imagery: its tiles lie half over it
            return
        if made.now or cell in self._fresh:
            self.tally.done += 1
        else:
            self.tally.there += 1

    def _next(self) -> Future[Made]:
        """The next finished one, however it went. Raises InputError when nobody is left."""
        watch = WorkerWatch(self._client.scheduler.address)
        while True:
            try:
                return self._done.get(timeout=LOOK_S)
            except queue.Empty:
                pass
            if self._client.status != "running":
                raise InputError(LOST)
            watch.look(len(self._client.scheduler_info(n_workers=-1)["workers"]))


def _result(future: Future[Made], cell: Cell) -> Made | None:
    """None when it went down with its worker and is being made again."""
    try:
        made: Made = future.result(timeout=LOOK_S)
    except TimeoutError:
        return None
    except CancelledError as e:
        raise InputError(LOST) from e
    except KilledWorker as e:
        raise InputError(
            f"cell {cell.name}: {e.allowed_failures + 1} workers died at it, the last was "
            f"{e.last_worker.address}; look at its log, perhaps memory ran out, then {GOES_ON}"
        ) from e
    return made
