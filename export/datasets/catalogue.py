"""The data sets by name; a set's module is loaded when it is asked for.

Each module has `DIRECTIONS` (the first is the default), `read_sets(root, direction, work)` and
`read_training(root, direction, work)`. What is made once from a set (cut tiles, turned views) goes
to `work`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from export.datasets.retrieval_set import RetrievalSet, TrainingSet
from onboard.errors import InputError, nearest_known

DATASETS = {
    "university1652": "export.datasets.university1652",
    "sues200": "export.datasets.sues200",
    "denseuav": "export.datasets.denseuav",
    "vigor": "export.datasets.vigor",
    "cvusa": "export.datasets.cvusa",
    "cvact": "export.datasets.cvact",
    "uav-visloc": "export.datasets.uav_visloc",
    "gta-uav": "export.datasets.gta_uav",
    "anyvisloc": "export.datasets.anyvisloc",
    "flight": "export.datasets.pilotage_flight",
}
WORK_NAME = "prepared"


def directions(name: str) -> tuple[str, ...]:
    """The directions or splits of a set, the default first. Raises InputError: unknown name."""
    known: tuple[str, ...] = _module(name).DIRECTIONS
    return known


def read_dataset(
    name: str, root: Path, direction: str | None = None, work: Path | None = None
) -> list[RetrievalSet]:
    """The sets of a direction: one, or one a height, level or scene.

    work: `prepared` in the set's folder if None.
    Raises InputError: unknown name or direction, or whatever the set's module says.
    """
    module, chosen = _chosen(name, direction)
    found: list[RetrievalSet] = module.read_sets(root, chosen, work or root / WORK_NAME)
    return found


def read_training_set(
    name: str, root: Path, direction: str | None = None, work: Path | None = None
) -> TrainingSet:
    """The training part of a direction; as `read_dataset`."""
    module, chosen = _chosen(name, direction)
    found: TrainingSet = module.read_training(root, chosen, work or root / WORK_NAME)
    return found


def _chosen(name: str, direction: str | None) -> tuple[ModuleType, str]:
    module = _module(name)
    known: tuple[str, ...] = module.DIRECTIONS
    if direction is None:
        return module, known[0]
    if direction not in known:
        raise InputError(
            f"{name}: unknown direction '{direction}'; {nearest_known(direction, known)}"
        )
    return module, direction


def _module(name: str) -> ModuleType:
    if name not in DATASETS:
        raise InputError(f"unknown data set '{name}'; {nearest_known(name, tuple(DATASETS))}")
    return importlib.import_module(DATASETS[name])
