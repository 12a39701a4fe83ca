"""`pilotage benchmark` with the shipped bundle on a miniature University-1652."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from maps.world.epoch import random_epoch
from maps.world.landscape import Landscape
from maps.world.orthophoto import render_ortho
from onboard.model_bundle import load_bundle
from tools.cli import main

PLACES = 3


@pytest.fixture(scope="module")
def university(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three places of the procedural world, each with a satellite picture and two drone
    pictures a little aside; one place more in the gallery than in the queries."""
    root = tmp_path_factory.mktemp("university") / "test"
    landscape = Landscape(7, 180.0)
    ground, _ = render_ortho(
        landscape, random_epoch(np.random.default_rng(3)), 90, 90, 600, 600, 0.3
    )
    for i in range(PLACES + 1):
        row, col = 20 + 280 * (i % 2), 20 + 90 * i
        for view, shifts in (("satellite", (0,)), ("drone", (6, 14))):
            kinds = ("gallery", "query") if i < PLACES else ("gallery",)
            for kind in kinds:
                folder = root / f"{kind}_{view}" / f"{i + 1:04d}"
                folder.mkdir(parents=True)
                for n, shift in enumerate(shifts):
                    top, left = row + shift, col + shift
                    picture = ground[top : top + 256, left : left + 256]
                    cv2.imwrite(str(folder / f"image-{n:02d}.jpg"), picture)
    return root.parent


def run(university: Path, *options: str) -> tuple[int, dict]:
    out = university / "result.json"
    out.unlink(missing_ok=True)
    cache = str(university / "cache")
    places = [str(university), "--cache", cache, "--out", str(out)]
    code = main(["benchmark", "university1652", *places, *options])
    return code, json.loads(out.read_text()) if out.exists() else {}


def test_the_row_the_papers_print(university: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, measured = run(university)
    assert code == 0
    (result,) = measured["results"]
    assert (result["queries"], result["gallery"]) == (2 * PLACES, PLACES + 1)
    assert result["figures"]["R@1"] == 1.0
    assert result["figures"]["AP"] == 1.0
    assert measured["model"]["sha256"] == load_bundle().sha256
    said = capsys.readouterr().out
    assert "R@1%" in said
    assert "100.00" in said


def test_other_direction_weather_and_gallery_mode(university: Path) -> None:
    for options in (
        ("--direction", "satellite-drone", "--gallery-mode", "sample4geo", "--no-rerank"),
        ("--weather", "wind", "--flip", "--no-rerank"),
    ):
        code, measured = run(university, *options)
        assert code == 0
        assert measured["results"][0]["figures"]["R@5"] == 1.0
    assert measured["settings"] == {"gallery_mode": "original", "flip": True, "re_rank": False}
    assert measured["results"][0]["weather"] == "wind"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--direction", "drone-sattelite"), "drone-satellite"),
        (("--network", "gengeo"), "--checkpoint"),
        (("--model", "nowhere"), "nowhere"),
        (("--weather", "hail"), "hail"),
    ],
)
def test_bad_input_is_one_sentence(
    university: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    named: str,
) -> None:
    code, measured = run(university, *options)
    assert code == 2
    assert not measured
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
