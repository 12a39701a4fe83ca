"""Recipes over small imagery, and stores that need no disk."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from maps.cells.cell import Cell
from maps.cells.lay import lay_cell, lay_task
from maps.cells.recipe import Opened, Recipe, open_recipe
from maps.cells.store import CellMark, CellStore
from onboard.model_bundle import load_bundle
from onboard.pack.pack_manifest import ImagerySource, PackModel


def recipe_of(
    inputs: Sequence[Path], levels: tuple[int, ...], area_wkt: str | None = None
) -> Recipe:
    bundle = load_bundle()
    imagery = tuple(ImagerySource(p.name, "unknown", "unknown", "unknown") for p in inputs)
    model = PackModel(bundle.id, bundle.sha256, bundle.descriptor_dim)
    return Recipe(tuple(inputs), None, levels, None, imagery, model, bundle.path)


def opened_of(inputs: Sequence[Path], levels: tuple[int, ...]) -> Opened:
    return open_recipe(recipe_of(inputs, levels))


def lay_all(opened: Opened, store: CellStore) -> dict[Cell, CellMark]:
    with ThreadPoolExecutor(2) as pool:
        tasks = [lay_task(opened, cell) for cell in opened.cells()]
        return {task.cell: lay_cell(task, opened, store, pool) for task in tasks}
