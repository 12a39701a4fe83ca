"""Which task a configuration asks for: its key `task` names the module here that trains it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from export.training.run_settings import Run
from export.training.task import Task
from onboard.errors import InputError, nearest_known
from onboard.settings import read_table, settings_from_table


class TaskSettings(Protocol):
    """Every task's settings hold the run's."""

    @property
    def run(self) -> Run: ...


@dataclass(frozen=True)
class TaskEntry:
    """module: below export.training.tasks; settings, task: names of its two classes."""

    module: str
    settings: str
    task: str


TASKS = {
    "unifygeo-edge": TaskEntry("unifygeo_edge", "UnifyGeoEdgeSettings", "UnifyGeoEdgeTask"),
    "overhead-descriptor": TaskEntry(
        "overhead_descriptor", "OverheadDescriptorSettings", "OverheadDescriptorTask"
    ),
    "retrieval-dataset": TaskEntry(
        "retrieval_dataset", "RetrievalDatasetSettings", "RetrievalDatasetTask"
    ),
    "geolink-survey": TaskEntry("geolink_survey", "GeoLinkSurveySettings", "GeoLinkSurveyTask"),
    "unifygeo-vigor": TaskEntry("unifygeo_vigor", "UnifyGeoVigorSettings", "UnifyGeoVigorTask"),
}


def load_task_settings(path: Path) -> TaskSettings:
    """Raises InputError: unreadable file, no or an unknown task, keys that the task lacks."""
    return task_settings(read_table(path), str(path))


def task_settings(table: dict[str, Any], where: str) -> TaskSettings:
    """The same from a parsed table."""
    table = dict(table)
    name = table.pop("task", None)
    entry = TASKS.get(name) if isinstance(name, str) else None
    if entry is None:
        problem = "key 'task' is missing" if name is None else f"unknown task {name!r}"
        raise InputError(f"{where}: {problem}; {nearest_known(str(name), TASKS)}")
    kind = getattr(importlib.import_module(f"export.training.tasks.{entry.module}"), entry.settings)
    settings: TaskSettings = settings_from_table(table, kind, where)
    return settings


def make_task(settings: TaskSettings) -> Task:
    """The task that these settings belong to."""
    entry = next(e for e in TASKS.values() if e.settings == type(settings).__name__)
    module = importlib.import_module(f"export.training.tasks.{entry.module}")
    task: Task = getattr(module, entry.task)(settings)
    return task
