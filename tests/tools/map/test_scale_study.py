"""The study of the index's growth, at a size that takes seconds."""

import json

import numpy as np
import pytest

from maps import shards
from onboard.pack.tile_index import unit_length
from tests.onboard.hand_made_pack import clustered, square_table, write_pack
from tools.map import scale_study
from tools.map.scale_pack import LEVEL, drawn, real_descriptors, scale_pack
from tools.map.scale_study import measured
from tools.map.scale_table import tiles_per_km2, write_table


def test_drawn_descriptors_look_like_their_neighbours_and_not_like_others():
    tiles = drawn(30, 41, clustered(400, 64), np.random.default_rng(1)).reshape(30, 41, 64)
    beside = (tiles[:, 1:] * tiles[:, :-1]).sum(axis=-1)
    apart = (tiles[:, 5:] * tiles[:, :-5]).sum(axis=-1)
    assert np.median(beside) > 0.6 and abs(np.median(apart)) < 0.1
    assert np.allclose(np.linalg.norm(tiles, axis=-1), 1.0, atol=1e-5)


def test_a_pack_that_was_begun_ends_in_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "GRAPH_TILES", 100_000)  # a graph takes ten seconds
    whole = scale_pack(tmp_path / "whole", 90_000, 32, None)
    begun = scale_pack(tmp_path / "begun", 90_000, 32, None)
    (begun / "manifest.json").unlink()
    (begun / sorted(begun.glob("index/*.codes.npy"))[1].relative_to(begun)).unlink()
    scale_pack(begun, 90_000, 32, None)
    assert (
        json.loads((whole / "manifest.json").read_text())["files"]
        == json.loads((begun / "manifest.json").read_text())["files"]
    )


def test_figures_are_measured_kept_and_written_down(tmp_path, monkeypatch):
    monkeypatch.setattr(scale_study, "QUERIES", 40)
    real = real_descriptors([write_pack(tmp_path / "a.pack", [square_table(20)])])
    assert np.allclose(real, unit_length(real)) and len(real) == 400
    found = measured(tmp_path / "one", "few", 4000, real)
    assert found["tiles"] == 63**2 and found["lowest_recall"] > 0.9
    for run in ("flight", "with_graphs", "small_memory"):
        assert found[run]["recall"] > 0.98
        assert found[run]["codes_bytes"] == 63**2 * 18
        assert set(found[run]["with_prior"]) == {"30", "300", "3000"}
    exact, *others = found["variants"]
    assert exact["recall"] == pytest.approx(1.0) and len(others) >= 4
    monkeypatch.setattr(scale_study, "scale_pack", None)
    assert measured(tmp_path / "one", "few", 4000, real) == json.loads(json.dumps(found))
    write_table(tmp_path / "scale.md", [found, {**found, "tiles": 40_000}])
    text = (tmp_path / "scale.md").read_text()
    assert "100,000,000 (line)" in text and "| few | 3,969 |" in text
    assert tiles_per_km2() == pytest.approx(178, abs=2) and LEVEL == 18
