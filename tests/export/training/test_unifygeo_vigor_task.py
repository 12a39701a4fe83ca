"""UnifyGeo's training on a miniature of VIGOR that the test makes, with a miniature network."""

import re
from itertools import islice

import cv2
import numpy as np
import pytest
import torch

from export.networks.convnext import ConvNext, Shape
from export.training.run_settings import Run
from export.training.tasks.catalogue import task_settings
from export.training.tasks.unifygeo_vigor import UnifyGeoVigorSettings, UnifyGeoVigorTask
from onboard.errors import InputError

PANORAMAS, TILES, TILE_PX = 10, 12, 64
SHAPE = Shape((1, 1, 1, 1), (12, 24, 48, 96))
CITIES = ("Chicago", "NewYork", "SanFrancisco", "Seattle")


def textured(seed, height, width):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def vigor(tmp_path_factory):
    root = tmp_path_factory.mktemp("vigor")
    for c, city in enumerate(CITIES):
        for folder in (root / city / "panorama", root / city / "satellite"):
            folder.mkdir(parents=True)
        (root / "splits_new" / city).mkdir(parents=True)
        tiles = [f"satellite_{40 + c + t / 1000:.4f}_-80.0.png" for t in range(TILES)]
        for t, name in enumerate(tiles):
            cv2.imwrite(str(root / city / "satellite" / name), textured(100 * c + t, 80, 80))
        lines = []
        for p in range(PANORAMAS):
            name = f"p{p},{40 + c + p / 1000:.4f},-80.0,.jpg"
            cv2.imwrite(str(root / city / "panorama" / name), textured(100 * c + p, 64, 128))
            near = [f"{tiles[(p + 9 + k) % TILES]} 300.0 -310.0" for k in range(3)]
            lines.append(f"{name} {tiles[p]} {10.0 * p - 60} {50 - 8.0 * p} " + " ".join(near))
        folder = root / "splits_new" / city
        (folder / "satellite_list.txt").write_text("\n".join(tiles) + "\n")
        (folder / "same_area_balanced_train.txt").write_text("\n".join(lines) + "\n")
    return root


def settings(root, **changed):
    values = {
        "run": Run(steps=50), "root": root, "batch_pairs": 4, "tile_px": TILE_PX,
        "held_out_share": 0.2, "depths": SHAPE.depths, "dims": SHAPE.dims,
    }  # fmt: skip
    return UnifyGeoVigorSettings(**{**values, **changed})


@pytest.fixture(scope="module")
def task(vigor):
    return UnifyGeoVigorTask(settings(vigor))


def total(task, losses):
    return torch.stack([task.loss_weights[k] * v for k, v in losses.items()]).sum()


def test_learns_one_batch(vigor):
    task = UnifyGeoVigorTask(settings(vigor))
    batch = next(iter(task.batches(0)))
    assert batch.panoramas.shape == (4, 64, 128, 3) and batch.tiles.shape == (4, 64, 64, 3)
    assert ((batch.places_px > 0) & (batch.places_px < TILE_PX)).all()
    optimizer = torch.optim.AdamW(task.parameter_groups(), lr=2e-3)
    totals, parts = [], []
    task.model.train()
    for step in range(12):
        losses, shares = task.losses(task.model, batch, step)
        assert losses.keys() == task.loss_weights.keys()
        assert 0 <= shares["retrieval_hits"] <= 1
        loss = total(task, losses)
        assert torch.isfinite(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        totals.append(float(loss.detach()))
        parts.append({k: float(v.detach()) for k, v in losses.items()})
    unused = [n for n, p in task.model.named_parameters() if p.grad is None]
    assert unused == []
    assert totals[-1] < 0.8 * totals[0]
    assert all(parts[-1][k] < parts[0][k] for k in parts[0])


def test_batches_follow_from_the_step_and_hold_no_held_out_tile(task):
    whole = list(islice(task.batches(0), 12))
    for first in (3, 9):  # within an epoch of 8 batches, and beyond it
        resumed = next(iter(task.batches(first)))
        assert np.array_equal(resumed.panoramas, whole[first].panoramas)
        assert np.array_equal(resumed.tiles, whole[first].tiles)
        assert np.array_equal(resumed.places_px, whole[first].places_px)
    held = {task._found.positives[i][0] for i in task._held_out}
    trained = {task._found.positives[i][0] for i in task._training}
    assert held and trained and not held & trained


def test_validation_figures_stay_the_same(task):
    first, second = (task.validate(task.model) for _ in range(2))
    assert first == second
    assert 0 <= first["recall_1"] <= first["recall_5"] <= 1
    assert 0 < first["median_error_m"] < 80 and 0 <= first["recall_1_reranked"] <= 1


def test_starts_from_timms_weights_in_either_spelling(vigor, tmp_path):
    published = ConvNext(Shape((1, 1, 1, 2), SHAPE.dims)).state_dict()
    published |= {k: torch.randn_like(v) for k, v in published.items()}
    published["head.fc.weight"] = torch.zeros(10, 96)
    underscored = {re.sub(r"^(stem|stages)\.", r"\1_", k): v for k, v in published.items()}
    for state in (published, underscored):
        torch.save(state, tmp_path / "convnext.pth")
        task = UnifyGeoVigorTask(settings(vigor, start_from=tmp_path / "convnext.pth"))
        own = task.model.state_dict()
        for ours, theirs in {
            "grd_encoder.model.stem_0.weight": "stem.0.weight",
            "sat_encoder.model.stages_2.blocks.0.norm.bias": "stages.2.blocks.0.norm.bias",
            "grd_local_feats_decoder.model.downsample.1.weight": "stages.3.downsample.1.weight",
            "sat_global_feats_decoder.model.conv.conv_dw.bias": "stages.3.blocks.0.conv_dw.bias",
        }.items():
            assert torch.equal(own[ours], published[theirs]), ours


def test_bad_input_is_one_sentence(vigor, tmp_path):
    torch.save(ConvNext(Shape((1, 1, 1, 1), (8, 16, 24, 32))).state_dict(), tmp_path / "c.pth")
    with pytest.raises(InputError, match="no ConvNeXt of this network's shape"):
        UnifyGeoVigorTask(settings(vigor, start_from=tmp_path / "c.pth"))
    with pytest.raises(InputError, match="multiples of 32, not 70"):
        UnifyGeoVigorTask(settings(vigor, tile_px=70))
    with pytest.raises(InputError, match="split 'both' is not one of"):
        table = {"task": "unifygeo-vigor", "run": {"steps": 1}, "root": "x", "split": "both"}
        task_settings(table, "train.toml")
