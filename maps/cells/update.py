"""Begins and ends the work on a store: what it is of, and what no longer belongs to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from maps.cells.cell import Cell
from maps.cells.describe import describe_task, held_description
from maps.cells.recipe import Opened, Recipe
from maps.cells.store import STORE_FORMAT, CellMark, CellStore, Step, StoreHeader
from onboard.errors import InputError


def begin_update(store: CellStore, opened: Opened, drop: bool) -> None:
    """Says in the store that work on it is going on. drop: imagery that the store holds and
    the recipe does not name may go.

    Raises InputError: a store of other levels or another model; imagery would go unasked.
    """
    header, recipe = store.header(), opened.recipe
    if header is not None:
        _refuse_another_kind(store, header, recipe)
        gone = Counter(i.name for i in header.imagery) - Counter(i.name for i in recipe.imagery)
        if gone and not drop:
            raise InputError(
                f"{store.url}: holds imagery of {', '.join(sorted(gone))}, which the command does "
                "not name; name all of the store's inputs, or take that one out with --drop"
            )
    store.put_header(_header(opened, finished=False))


def end_update(store: CellStore, opened: Opened, laid: Mapping[Cell, CellMark]) -> int:
    """Removes what is not of the recipe, and says that the store is whole. laid: all of the
    recipe's cells. Returns how many cells with imagery are gone.

    Raises InputError: another build, on an object store or by a worker that a stopped one left,
    put something else meanwhile.
    """
    removed = 0
    for cell in store.cells() | set(laid):
        held = store.mark(cell, Step.LAY)
        if cell not in laid and held is not None:
            store.remove_step(cell, Step.LAY)
            removed += 1
        elif held != laid.get(cell):
            raise _of_another_build(store, cell)
        marks = [laid.get(needed) for needed in cell.needed()]
        task = describe_task(cell, opened.recipe, marks)
        if task is None:
            store.remove_step(cell, Step.DESCRIBE)
            if cell not in laid:
                store.remove(cell)
        elif held_description(task, store) is None:
            raise _of_another_build(store, cell)
    store.put_header(_header(opened, finished=True))
    return removed


def _of_another_build(store: CellStore, cell: Cell) -> InputError:
    return InputError(
        f"{store.url}: {cell.name} was written by another build meanwhile; see that none is at "
        "work on it and give the command again"
    )


def finished_header(store: CellStore) -> StoreHeader:
    """For who reads a store. Raises InputError: no store there, a build at work on it."""
    header = store.header()
    if header is None:
        raise InputError(f"{store.url}: is no cell store; make one with 'map build --store'")
    if not header.finished:
        raise InputError(
            f"{store.url}: a build of it has not ended; give that command again, it goes on"
        )
    return header


def _header(opened: Opened, finished: bool) -> StoreHeader:
    recipe = opened.recipe
    return StoreHeader(
        STORE_FORMAT,
        recipe.root,
        recipe.levels,
        recipe.model,
        recipe.imagery,
        finished,
        opened.terrain,
    )


def _refuse_another_kind(store: CellStore, header: StoreHeader, recipe: Recipe) -> None:
    for what, held, asked in (
        ("levels", _said(header.levels), _said(recipe.levels)),
        ("root level", str(header.root_level), str(recipe.root)),
        ("model", _model(header.model.id, header.model.sha256), _model(*_of(recipe))),
    ):
        if held != asked:
            raise InputError(
                f"{store.url}: is a store of {what} {held}, this build is of {asked}; ask for the "
                "same, or give another --store"
            )


def _said(levels: tuple[int, ...]) -> str:
    return ", ".join(map(str, levels))


def _of(recipe: Recipe) -> tuple[str, str]:
    return recipe.model.id, recipe.model.sha256


def _model(name: str, sha256: str) -> str:
    return f"{name} ({sha256[:12]})"
