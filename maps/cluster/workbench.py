"""What stands on a worker while it works for a build: sources and model, opened once a thread."""

from __future__ import annotations

import logging
import socket
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

from maps.cells.cell import Cell
from maps.cells.describe import describe_cell, describe_task, held_description
from maps.cells.lay import LayTask, held_imagery, lay_cell, lay_task
from maps.cells.recipe import Opened, Recipe, open_recipe
from maps.cells.store import CellMark, CellStore
from maps.cluster.environment import Environment, difference, environment
from maps.cluster.meeting_place import leave, left
from onboard.errors import BackendError, InputError

LEAVING_S = 0.2  # within which a worker that may not work is gone

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One build, as every worker must see it. sample: a cell whose key a worker must come to
    by itself, which shows that it sees the same imagery. name: also that of a file that the
    client has left in the store's scratch folder."""

    name: str
    recipe: Recipe
    store: CellStore
    environment: Environment
    sample: LayTask


@dataclass(frozen=True)
class Made:
    """A step's result. mark: None where there is nothing to do; now: it was not there before."""

    mark: CellMark | None
    now: bool


def refusal(job: Job) -> str | None:
    """Why this process may not work on the job, to follow the worker's name; None when it may."""
    other = difference(environment(), job.environment)
    if other is not None:
        return f"{other}; give all the same"
    try:
        opened = open_recipe(job.recipe)
        if lay_task(opened, job.sample.cell).key != job.sample.key:
            return (
                "sees other imagery under the same path than this machine (names, sizes or "
                "times differ); share one folder"
            )
        _ = opened.describer
    except (InputError, BackendError) as e:
        return f"says: {e}"
    try:
        if not left(job.store, job.name):
            return f"does not see this machine's store at {job.store.url}; share one"
        leave(job.store, f"{job.name}-{uuid.uuid4().hex}")
    except OSError as e:
        return f"cannot use the store {job.store.url} ({e.strerror or e}); let it write there"
    return None


class Workbench(WorkerPlugin):
    """Comes to every worker, also to those that join later. One that may not work on the job
    leaves with a sentence in its log."""

    def __init__(self, job: Job) -> None:
        self.name = job.name
        self.job = job
        self.ready = False

    def setup(self, worker: Worker) -> None:
        self._threads = threading.local()
        self._worker = f"{worker.name} on {socket.gethostname()}"
        reason = refusal(self.job)
        self.ready = reason is None
        if reason is not None:
            sentence = f"worker {self._worker} {reason}"
            logging.getLogger("distributed.worker").error("%s", sentence)
            worker.loop.add_callback(worker.close, reason=sentence)

    @property
    def opened(self) -> Opened:
        """This thread's: imagery is read, and a session run, by one thread."""
        if not hasattr(self._threads, "opened"):
            self._threads.opened = open_recipe(self.job.recipe)
        return self._threads.opened  # type: ignore[no-any-return]

    def lay(self, task: LayTask) -> Made:
        held = held_imagery(task, self.job.store)
        if held is not None:
            return Made(held, now=False)
        return Made(lay_cell(task, self.opened, self.job.store, SameThread()), now=True)

    def describe(self, cell: Cell, laid: tuple[CellMark | None, ...]) -> Made:
        task = describe_task(cell, self.job.recipe, laid)
        if task is None:
            return Made(None, now=False)
        held = held_description(task, self.job.store)
        if held is not None:
            return Made(held, now=False)
        return Made(describe_cell(task, self.opened, self.job.store), now=True)

    def sentences(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls it; what goes wrong there is said with the worker's name."""
        try:
            return work(*args, **kwargs)
        except (InputError, BackendError) as e:
            raise InputError(f"worker {self._worker}: {e}") from e
        except (OSError, sqlite3.Error) as e:
            where = getattr(e, "filename", None) or self.job.store.url
            raise InputError(
                f"worker {self._worker}: {where}: {getattr(e, 'strerror', None) or e}; "
                "put it right and give the same command again, it goes on where it stopped"
            ) from e


def lay_there(job: str, task: LayTask) -> Made:
    """The task that Dask runs. job: name of the workbench."""
    bench = _bench(job)
    return bench.sentences(bench.lay, task)


def describe_there(job: str, cell: Cell, *laid: Made | None) -> Made:
    """laid: results of `lay_there` of `Cell.needed`, None where there is no such cell."""
    bench = _bench(job)
    return bench.sentences(bench.describe, cell, tuple(m.mark if m else None for m in laid))


def _bench(job: str) -> Workbench:
    bench = get_worker().plugins.get(job)
    if not isinstance(bench, Workbench) or not bench.ready:
        time.sleep(LEAVING_S)
        raise Reschedule  # this worker is on its way out
    return bench


class SameThread(Executor):
    """A pool without threads: a worker has as many as Dask gives it."""

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except Exception as e:
            done.set_exception(e)
        return done
