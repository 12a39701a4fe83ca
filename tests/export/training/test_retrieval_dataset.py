"""Any network on any set: pairs that exclude one another, hard negatives, the same after a kill."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from export.datasets.pair_batches import pairs_of, read_pairs, samples_of
from export.datasets.retrieval_set import Item, TrainingSet, View
from export.networks import registry
from export.networks.convnext import Shape
from export.networks.gengeo import SLIM_544, GenGeo
from export.networks.sample4geo import Sample4Geo
from export.training.pair_loader import pair_loader
from export.training.retrieval_model import RetrievalModel
from export.training.run_settings import Run
from export.training.tasks import retrieval_dataset
from export.training.tasks.catalogue import make_task, task_settings
from export.training.tasks.retrieval_dataset import (
    RetrievalDatasetSettings,
    RetrievalDatasetTask,
    Sampling,
)
from export.training.trainer import train
from onboard.errors import InputError
from tests.export.training.miniature_dense import ENTRY, settings_for, write_dense

INFONCE_SAMPLINGS = (Sampling.EXCLUSIVE, Sampling.GPS, Sampling.SIMILARITY)


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("dense"))


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setitem(registry.NETWORKS, ENTRY.name, ENTRY)


@pytest.mark.parametrize("sampling", INFONCE_SAMPLINGS)
def test_a_killed_run_ends_as_one_that_was_not(
    dense: Path, tmp_path: Path, sampling: Sampling
) -> None:
    """Killed within an epoch of three batches whose order the network's own similarities gave."""
    settings = settings_for(dense, sampling=sampling, gps_epochs=1, search_every_epochs=1)
    whole = train(RetrievalDatasetTask(settings), settings.run, "s", tmp_path / "whole")

    class Killed(RetrievalDatasetTask):
        def losses(self, model: Any, batch: Any, step: int) -> Any:
            if step == 7:
                raise KeyboardInterrupt
            return super().losses(model, batch, step)

    with pytest.raises(KeyboardInterrupt):
        train(Killed(settings), settings.run, "s", tmp_path / "cut")
    cut = train(RetrievalDatasetTask(settings), settings.run, "s", tmp_path / "cut")
    states = [torch.load(p, weights_only=True)["model"] for p in (whole, cut)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_training_finds_places_again(dense: Path, tmp_path: Path) -> None:
    settings = settings_for(dense, steps=60)
    task = RetrievalDatasetTask(settings)
    before = task.validate(task.model)["recall_1"]
    train(task, settings.run, "s", tmp_path / "run")
    after = task.validate(task.model)
    assert after["recall_1"] >= max(0.9, before)
    assert after["recall_5"] >= after["recall_1"]
    with (tmp_path / "run" / "log.csv").open() as f:
        losses = [float(row["retrieval"]) for row in csv.DictReader(f)]
    assert losses[-1] < 0.9 * losses[0]


def test_no_two_of_a_batch_show_one_place(dense: Path) -> None:
    task = RetrievalDatasetTask(settings_for(dense))
    for batch in task._plan(0, None):
        labels = [task._set.queries[q].label for q in task._pairs.queries[batch]]
        assert len(set(labels)) == len(labels) == 4


def test_pairs_are_every_positive_with_its_weight() -> None:
    items = tuple(Item(Path(n), n) for n in "abc")
    found = TrainingSet(
        "t", View.DRONE, View.SATELLITE, (8, 8), (8, 8), items[:2], items,
        ((0, 2), (1,)), ((1,), ()), ((0.5, 0.2), (0.9,)),
    )  # fmt: skip
    pairs = pairs_of(found)
    assert pairs.queries.tolist() == [0, 0, 1] and pairs.gallery.tolist() == [0, 2, 1]
    assert pairs.weights.tolist() == pytest.approx([0.5, 0.2, 0.9])
    samples = samples_of(found, pairs)
    assert samples.positives == (frozenset({0, 1, 2}), frozenset({0, 1, 2}), frozenset({1}))


def test_readers_give_the_same_pictures_in_order_and_errors_as_sentences(dense: Path) -> None:
    task = RetrievalDatasetTask(settings_for(dense))
    found, pairs, how = task._set, task._pairs, task._settings.augmentation
    batches = task._plan(0, None)[:3]
    read = set(pairs.queries[np.concatenate(batches[:2])].tolist())
    lost = next(q for q in pairs.queries[batches[2]].tolist() if q not in read)
    queries = list(found.queries)
    queries[lost] = replace(queries[lost], picture=dense / "absent.png")
    found = replace(found, queries=tuple(queries))
    for readers in (0, 1):
        loader = pair_loader(found, pairs, batches, task._sizes, how, (3, 0, 5), readers)
        for n in range(2):
            made = next(loader)
            again = read_pairs(found, pairs, batches[n], task._sizes, how, (3, 0, 5 + n))
            assert np.array_equal(made.queries, again.queries)
            assert np.array_equal(made.gallery, again.gallery)
        with pytest.raises(InputError, match=r"absent.png: this picture is missing") as caught:
            next(loader)
        assert "\n" not in str(caught.value)
    other = read_pairs(found, pairs, batches[1], task._sizes, how, (3, 0, 99))
    assert not np.array_equal(again.gallery, other.gallery)


def test_the_loss_believes_a_pair_as_far_as_it_overlaps(dense: Path) -> None:
    task = RetrievalDatasetTask(settings_for(dense))
    batch = next(iter(task.batches(0)))
    halved = replace(batch, weights=batch.weights / 2)
    plain, weighted, less = (
        float(task.model(b, task._views, w)[0]["retrieval"].detach())
        for b, w in ((batch, False), (batch, True), (halved, True))
    )
    assert len({round(v, 6) for v in (plain, weighted, less)}) == 3


def test_settings_come_from_a_file(dense: Path) -> None:
    table = {
        "task": "retrieval-dataset", "network": "tiny", "dataset": "denseuav",
        "root": str(dense), "sampling": "gps", "readers": 0, "batch_pairs": 2,
        "run": {"steps": 1}, "augmentation": {"mirror": 0.0},
    }  # fmt: skip
    settings = task_settings(table, "train.toml")
    assert isinstance(make_task(settings), RetrievalDatasetTask)
    with pytest.raises(InputError, match="batch_pairs must be at least 2"):
        task_settings(table | {"batch_pairs": 1}, "train.toml")


def test_what_does_not_fit_is_refused(dense: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="street panoramas"):
        RetrievalDatasetTask(RetrievalDatasetSettings("unifygeo-vigor", "denseuav", dense, Run(1)))
    placed = retrieval_dataset.read_training_set("denseuav", dense)
    nowhere = tuple(Item(i.picture, i.label) for i in placed.gallery)
    bare = TrainingSet(
        "bare", *((View.DRONE, View.SATELLITE)), (32, 32), (32, 32), placed.queries, nowhere,
        placed.positives,
    )  # fmt: skip
    monkeypatch.setattr(retrieval_dataset, "read_training_set", lambda *_: bare)
    with pytest.raises(InputError, match="tell no position"):
        RetrievalDatasetTask(settings_for(dense, sampling=Sampling.GPS))
    with pytest.raises(InputError, match="fills no batch"):
        next(iter(RetrievalDatasetTask(settings_for(dense, batch_pairs=50)).batches(0)))


def small_gengeo(input_px: int, checkpointing: bool = False) -> GenGeo:
    return GenGeo(input_px, SLIM_544, "small", trainable_blocks=1)


@pytest.fixture
def streets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """CVUSA's layout, and a GenGeo small enough for it."""
    entry = registry.NetworkEntry("gengeo-s", f"{__name__}:small_gengeo", 70, 544, "for this test")
    monkeypatch.setitem(registry.NETWORKS, entry.name, entry)
    root = tmp_path / "cvusa"
    for folder in ("splits", "bingmap", "panos"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for n in range(3):
        for folder, shape in (("bingmap", (40, 40, 3)), ("panos", (28, 154, 3))):
            cv2.imwrite(str(root / folder / f"{n}.png"), rng.integers(0, 256, shape, np.uint8))
    for split in ("train", "val"):
        rows = "\n".join(f"bingmap/{n}.png,panos/{n}.png" for n in range(3))
        (root / "splits" / f"{split}-19zl.csv").write_text(rows)
    return root


def test_a_transformer_takes_panoramas_as_square_as_in_a_benchmark(
    streets: Path, tmp_path: Path
) -> None:
    """And starts from DINOv2's released weights, in its backbone alone."""
    released = {k: v + 0.5 for k, v in small_gengeo(70).backbone.model.state_dict().items()}
    torch.save(released, tmp_path / "dinov2.pth")
    settings = RetrievalDatasetSettings(
        "gengeo-s", "cvusa", streets, Run(1), batch_pairs=2, readers=0,
        start_backbone_from=tmp_path / "dinov2.pth",
    )  # fmt: skip
    task = RetrievalDatasetTask(settings)
    own = task.model.get_submodule("network.backbone.model").state_dict()
    assert all(torch.equal(own[k], v) for k, v in released.items())
    batch = next(iter(task.batches(0)))
    assert batch.queries.shape == batch.gallery.shape == (2, 70, 70, 3)
    with torch.no_grad():
        losses, _ = task.losses(task.model, batch, 0)
    assert torch.isfinite(losses["retrieval"])
    with pytest.raises(InputError, match="no DINOv2 backbone"):
        RetrievalDatasetTask(replace(settings, network="tiny"))
    with pytest.raises(ValueError, match="exclude one another"):
        replace(settings, start_from=tmp_path / "dinov2.pth")


def test_a_published_scale_is_the_one_that_is_trained() -> None:
    network = Sample4Geo(Shape((1, 1, 1, 1), (8, 8, 8, 8)))
    model = RetrievalModel(network)
    assert model.log_scale is network.logit_scale
    assert sum(p.numel() == 1 and p.ndim == 0 for p in model.parameters()) == 1
