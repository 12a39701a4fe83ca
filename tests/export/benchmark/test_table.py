"""The printed row and the written file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.benchmark.result import Counting, Result, write_results
from export.benchmark.table import COLUMNS, mean, table
from export.datasets.catalogue import DATASETS
from export.weather.condition import Weather
from onboard.errors import InputError
from tests.export.benchmark.small_sets import ColourModel


def result(queries: int, **figures: float) -> Result:
    names = {name.replace("_", " ").replace("At", "@"): v for name, v in figures.items()}
    return Result("small", Weather.FOG, queries, 9, 1, ("a.jpg: gone",), names)


def test_every_data_set_has_its_columns() -> None:
    assert set(COLUMNS) == set(DATASETS)


def test_percent_metres_and_the_mean_over_queries() -> None:
    rows = [result(10, RAt1=0.5, median_m=3.0), result(30, RAt1=0.9, median_m=float("nan"))]
    lines = [line.split() for line in table("flight", rows).splitlines()]
    assert lines[0] == ["set", "weather", "queries", "gallery", "R@1", "median", "m"]
    assert lines[1] == ["small", "fog", "10", "9", "50.00", "3.00"]
    assert lines[2] == ["small", "fog", "30", "9", "90.00", "-"]
    assert lines[3] == ["mean", "80.00", "-"]
    assert mean(rows) == {"R@1": pytest.approx(0.8)}


def test_the_file_holds_everything_and_no_number_that_is_none(tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    rows = [result(10, RAt1=0.5, Dis=float("nan"))]
    write_results(out, {"dataset": "flight"}, ColourModel(), Counting(flip=True), rows)
    read = json.loads(out.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert read["model"] == {"name": "colours", "sha256": ColourModel.sha256}
    assert read["settings"]["flip"] is True
    assert read["settings"]["re_rank"] is False
    (row,) = read["results"]
    assert row["figures"] == {"R@1": 0.5, "Dis": None}
    assert row["unreadable"] == ["a.jpg: gone"]
    assert row["queries_without_answer"] == 1
    with pytest.raises(InputError, match="nowhere"):
        write_results(tmp_path / "nowhere" / "r.json", {}, ColourModel(), Counting(), rows)
