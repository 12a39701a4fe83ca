"""Bundles behind the benchmark's contract: which kinds can do what."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.bundle_model import load_bundle_model
from export.benchmark.model import LocatingModel
from export.datasets.retrieval_set import View
from onboard.errors import InputError
from onboard.messages import Picture
from onboard.model_bundle import DEFAULT_BUNDLE


def bundle_of_kind(folder: Path, kind: str) -> Path:
    """The shipped encoder alone, said to be of a kind."""
    folder.mkdir()
    shutil.copy(DEFAULT_BUNDLE / "model.onnx", folder)
    info = json.loads((DEFAULT_BUNDLE / "model.json").read_text())
    info |= {"kind": kind, "files": {"model.onnx": info["files"]["model.onnx"]}}
    info.pop("selftest", None)
    (folder / "model.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="module")
def ground() -> Picture:
    coarse = np.random.default_rng(0).integers(1, 255, (50, 50, 3))
    return np.kron(coarse, np.ones((8, 8, 1))).astype(np.uint8)


def test_a_flight_bundle_finds_the_tile_and_the_place(ground: Picture) -> None:
    model = load_bundle_model(DEFAULT_BUNDLE)
    assert isinstance(model, LocatingModel)
    tiles = [ground[:256, :256], ground[40:296, 32:288], ground[140:396, 140:396]]
    view = ground[48:304, 24:280]
    scores, heatmap = model.examine(view, tiles, np.zeros(3, np.float32), tiles[1])
    assert int(scores.argmax()) == 1
    assert heatmap is not None
    row, col = divmod(int(heatmap.argmax()), heatmap.shape[1])
    # cell i lies at tile pixel 4 i; the view's centre lies 8 px further down and left
    assert abs(4 * row - (128 + 8)) <= 4
    assert abs(4 * col - (128 - 8)) <= 4
    assert np.linalg.norm(model.describe(np.stack(tiles), View.DRONE), axis=1) == pytest.approx(1)


def test_a_retrieval_bundle_only_describes(tmp_path: Path, ground: Picture) -> None:
    model = load_bundle_model(bundle_of_kind(tmp_path / "b", "retrieval"))
    assert not isinstance(model, LocatingModel)
    pictures = ground[None, :256, :256]
    expected = load_bundle_model(DEFAULT_BUNDLE).describe(pictures, View.SATELLITE)
    np.testing.assert_array_equal(model.describe(pictures, View.SATELLITE), expected)


def test_what_it_cannot_measure_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--checkpoint"):
        load_bundle_model(bundle_of_kind(tmp_path / "b", "cross-view"))
    with pytest.raises(InputError, match="from the ground"):
        load_bundle_model(DEFAULT_BUNDLE).size(View.GROUND, (140, 768))
