"""All cells of a recipe on this machine: one thread lays imagery ahead, the others describe.

Batches are described in parallel, one core each, which measures 1.2 times faster than one
batch at a time on all cores; the calling thread cuts the next ones, across cells, so that no
core waits at a cell's end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from maps.cells.cell import Cell
from maps.cells.cell import in_order as cells_in_order
from maps.cells.describe import (
    BATCH_TILES,
    HALF_STEPS,
    Batch,
    Described,
    DescribeTask,
    batches_of,
    describe_batch,
    describe_task,
    held_description,
    save_description,
)
from maps.cells.lay import LayTask, held_imagery, lay_cell
from maps.cells.recipe import Opened
from maps.cells.store import CellMark, CellStore
from maps.in_order import core_count, in_order
from maps.progress import progress_s
from onboard.describe import Describer

SAMPLE_BATCHES = 16  # kept of all, evenly: on them the bare network's rate is measured


@dataclass
class Tally:
    """laid: all cells, of which done were made now and there before. described: tiles
    done now; tiles: all of the map. sample: pictures of some of the tiles described now."""

    laid: dict[Cell, CellMark] = field(default_factory=dict)
    done: int = 0
    there: int = 0
    described: int = 0
    tiles: int = 0
    sample: list[NDArray[np.uint8]] = field(default_factory=list)


def run_here(opened: Opened, store: CellStore, tasks: Sequence[LayTask]) -> Tally:
    """Makes every cell that the store lacks or has of something else.

    Raises InputError: damaged inputs. OSError and sqlite3 errors pass through.
    """
    run = _Run(opened, store, tasks)
    try:
        run.go()
    finally:
        run.close()
    run.tally.laid = {cell: future.result() for cell, future in run.laid.items()}
    return run.tally


def bare_rate(batches: Sequence[NDArray[np.uint8]], describer: Describer) -> float:
    """Tiles a second of the network alone, on pictures that are already cut."""
    describer.descriptors(batches[0])
    begin = time.perf_counter()
    for pictures in batches:
        describer.descriptors(pictures)
    return sum(map(len, batches)) / (time.perf_counter() - begin)


class _Run:
    def __init__(self, opened: Opened, store: CellStore, tasks: Sequence[LayTask]) -> None:
        self._opened, self._store, self.tally = opened, store, Tally()
        self._workers = core_count()
        self._layer = ThreadPoolExecutor(1)  # a GDAL data set is for one thread
        self._pool = ThreadPoolExecutor(self._workers)
        self._to_describe = {task.cell: self._expected(task) for task in tasks}
        self._bar = tqdm(
            total=sum(task.tiles + self._to_describe[task.cell] for task in tasks),
            desc="tiles",
            unit="tile",
            mininterval=progress_s(),
        )
        self._counting = threading.Lock()
        self._fresh: set[Cell] = set()
        self.laid: dict[Cell, Future[CellMark]] = {
            task.cell: self._layer.submit(self._lay, task) for task in tasks
        }

    def close(self) -> None:
        self._layer.shutdown(cancel_futures=True)
        self._pool.shutdown(cancel_futures=True)
        self._bar.close()

    def go(self) -> None:
        parts: list[Described] = []
        for task, batch, part in in_order(
            self._pool, self._describe, self._batches(), 2 * self._workers
        ):
            if batch is None or part is None:
                mark = save_description(task, parts, self._store)
                self.tally.tiles += mark.count
                parts = []
                continue
            parts.append(part)
            self._keep_some(batch)
            self.tally.described += len(batch.tiles)
            self._advance(batch.looked_at)

    def _expected(self, task: LayTask) -> int:
        levels = self._opened.recipe.levels
        return sum(HALF_STEPS * -(-task.tiles // 4 ** (levels[-1] - level)) for level in levels)

    def _lay(self, task: LayTask) -> CellMark:
        held = held_imagery(task, self._store)
        if held is not None:
            self._shorten(task.tiles)
            return held
        mark = lay_cell(task, self._opened, self._store, self._pool)
        self._fresh.add(task.cell)
        self._advance(task.tiles)
        return mark

    def _batches(self) -> Iterator[tuple[DescribeTask, Batch | None]]:
        """Of all cells; None after each cell's last."""
        reached = {cell for laid in self.laid for cell in laid.needing()}
        for cell in cells_in_order(reached):
            marks = [self._mark(needed) for needed in cell.needed()]
            task = describe_task(cell, self._opened.recipe, marks)
            held = None if task is None else held_description(task, self._store)
            self._count(cell, task, held)
            if task is None or held is not None:
                self._shorten(self._to_describe.get(cell, 0))
                continue
            _ = self._opened.describer  # made once, here: the threads share it
            looked_at = 0
            with self._store.scratch() as scratch:
                for batch in batches_of(task, self._opened.recipe, self._store, scratch):
                    looked_at += batch.looked_at
                    yield task, batch
            self._shorten(self._to_describe.get(cell, 0) - looked_at)
            yield task, None

    def _mark(self, cell: Cell) -> CellMark | None:
        """Of the cell's imagery, once it is laid; None where there is to be none."""
        future = self.laid.get(cell)
        return None if future is None else future.result()

    def _count(self, cell: Cell, task: DescribeTask | None, held: CellMark | None) -> None:
        if held is not None:
            self.tally.tiles += held.count
        if cell not in self.laid:  # beside the imagery: its tiles lie half over it
            return
        if cell in self._fresh or (task is not None and held is None):
            self.tally.done += 1
        else:
            self.tally.there += 1

    def _describe(
        self, item: tuple[DescribeTask, Batch | None]
    ) -> tuple[DescribeTask, Batch | None, Described | None]:
        task, batch = item
        if batch is None:
            return task, None, None
        return task, batch, describe_batch(batch, self._opened.describer)

    def _keep_some(self, batch: Batch) -> None:
        share = self._bar.n / max(self._bar.total, 1)
        if len(batch.tiles) == BATCH_TILES and len(self.tally.sample) <= share * SAMPLE_BATCHES:
            self.tally.sample.append(batch.pictures)

    def _advance(self, tiles: int) -> None:
        with self._counting:
            self._bar.update(tiles)

    def _shorten(self, tiles: int) -> None:
        """Tiles that need not be done after all."""
        with self._counting:
            self._bar.total -= tiles
