"""One set measured in one weather, and the file that keeps what was measured."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.benchmark.described import Look, describe_all
from export.benchmark.figures import Figures, measure
from export.benchmark.located import locate_all
from export.benchmark.model import LocatingModel, Model
from export.datasets.retrieval_set import RetrievalSet, View
from export.metrics.average_precision import JunkRule
from export.weather.condition import Weather
from onboard.errors import InputError
from onboard.whole_file import write_whole


@dataclass(frozen=True)
class Counting:
    """rule: which references are junk, of sets that group by label. flip: describe pictures
    and their mirror images. rerank: also take the second look, if the model has one."""

    rule: JunkRule = JunkRule.ORIGINAL
    flip: bool = False
    rerank: bool = True


@dataclass(frozen=True)
class Result:
    """name: of the set. queries, gallery: counts, the unreadable ones among them; why those
    are so in `unreadable`. figures: shares are 0..1, distances metres."""

    name: str
    weather: Weather
    queries: int
    gallery: int
    without_answer: int
    unreadable: tuple[str, ...]
    figures: Figures


def measure_set(
    pairs: RetrievalSet, model: Model, weather: Weather, counting: Counting, cache: Path
) -> Result:
    """Weather falls on drone pictures only. Goes on where a killed run stopped.

    Raises InputError: no drone picture for a weather to fall on, the model has no tower for a
    view, no picture can be read, the cache can't be written.
    """
    views = pairs.query_view, pairs.gallery_view
    if weather is not Weather.NORMAL and View.DRONE not in views:
        raise InputError(
            f"{pairs.name}: weather falls on a drone's pictures and this set has none; "
            "leave --weather away"
        )
    looks = [
        Look(
            view,
            model.size(view, field),
            weather if view is View.DRONE else Weather.NORMAL,
            counting.flip,
        )
        for view, field in zip(views, (pairs.query_size, pairs.gallery_size), strict=True)
    ]
    queries = describe_all(pairs.queries, looks[0], model, cache, "queries")
    gallery = describe_all(pairs.gallery, looks[1], model, cache, "gallery")
    figures = measure(pairs, queries.descriptors, gallery.descriptors, counting.rule)
    if counting.rerank and isinstance(model, LocatingModel):
        located = locate_all(pairs, queries, gallery, (looks[0], looks[1]), model, cache)
        figures = figures | located
    return Result(
        name=pairs.name,
        weather=weather,
        queries=len(pairs.queries),
        gallery=len(pairs.gallery),
        without_answer=sum(not own for own in pairs.positives),
        unreadable=queries.unreadable + gallery.unreadable,
        figures=figures,
    )


def write_results(
    path: Path, about: dict[str, object], model: Model, counting: Counting, rows: Sequence[Result]
) -> None:
    """JSON, whole or not at all; figures that are no number become null. Raises InputError."""
    data = {
        **about,
        "model": {"name": model.name, "sha256": model.sha256},
        "settings": {
            "gallery_mode": counting.rule.value,
            "flip": counting.flip,
            "re_rank": counting.rerank and isinstance(model, LocatingModel),
        },
        "results": [
            {
                "set": row.name,
                "weather": row.weather.value,
                "queries": row.queries,
                "gallery": row.gallery,
                "queries_without_answer": row.without_answer,
                "unreadable": list(row.unreadable),
                "figures": {k: None if math.isnan(v) else v for k, v in row.figures.items()},
            }
            for row in rows
        ],
    }
    write_whole(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
