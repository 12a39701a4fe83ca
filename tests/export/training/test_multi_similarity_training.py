"""Several pictures of each place in a batch: learned, resumed, refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export.datasets.class_batches import class_batches
from export.datasets.pair_batches import pairs_of, read_pairs
from export.datasets.retrieval_set import Item, TrainingSet, View
from export.networks import registry
from export.training.retrieval_model import Loss
from export.training.tasks import retrieval_dataset
from export.training.tasks.catalogue import task_settings
from export.training.tasks.retrieval_dataset import (
    RetrievalDatasetSettings,
    RetrievalDatasetTask,
    Sampling,
)
from export.training.trainer import train
from onboard.errors import InputError
from tests.export.training.miniature_dense import ENTRY, PLACES, settings_for, write_dense


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dense(tmp_path_factory.mktemp("dense"))


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setitem(registry.NETWORKS, ENTRY.name, ENTRY)


def several(root: Path, steps: int = 12, **changes: Any) -> RetrievalDatasetSettings:
    values: dict[str, Any] = {
        "loss": Loss.MULTI_SIMILARITY, "sampling": Sampling.SEVERAL, "batch_pairs": 6,
        "pictures_per_place": 2,
    }  # fmt: skip
    return settings_for(root, steps, **(values | changes))


def mean_loss(task: RetrievalDatasetTask) -> float:
    """Over batches and changes of the pictures that no training step sees."""
    batches = enumerate(chain.from_iterable(task._plan(1000 + epoch, None) for epoch in range(20)))
    how = task._settings.augmentation
    read = (read_pairs(task._set, task._pairs, b, task._sizes, how, (99, n)) for n, b in batches)
    with torch.no_grad():
        return float(np.mean([float(task.losses(task.model, b, 0)[0]["retrieval"]) for b in read]))


def test_the_loss_falls(dense: Path, tmp_path: Path) -> None:
    settings = several(dense, steps=120)
    task = RetrievalDatasetTask(settings)
    before = mean_loss(task)
    train(task, settings.run, "s", tmp_path / "run")
    assert mean_loss(task) < 0.7 * before


def test_a_resumed_run_sees_the_same_batches_and_ends_the_same(dense: Path, tmp_path: Path) -> None:
    settings = several(dense)
    seen: dict[str, list[tuple[int, list[int], int]]] = {"whole": [], "cut": []}

    class Watched(RetrievalDatasetTask):
        def __init__(self, name: str, dies_at: int = -1) -> None:
            super().__init__(settings)
            self.seen, self.dies_at = seen[name], dies_at

        def losses(self, model: Any, batch: Any, step: int) -> Any:
            if step == self.dies_at:
                raise KeyboardInterrupt
            self.seen.append((step, batch.classes.tolist(), int(batch.gallery.sum(dtype=int))))
            return super().losses(model, batch, step)

    whole = train(Watched("whole"), settings.run, "s", tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(Watched("cut", dies_at=7), settings.run, "s", tmp_path / "cut")
    cut = train(Watched("cut"), settings.run, "s", tmp_path / "cut")
    assert sorted({repr(batch) for batch in seen["cut"]}) == sorted(map(repr, seen["whole"]))
    states = [torch.load(p, weights_only=True)["model"] for p in (whole, cut)]
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_a_place_brings_different_pictures_of_both_views(dense: Path) -> None:
    task = RetrievalDatasetTask(several(dense))
    epochs = [task._plan(epoch, None) for epoch in range(8)]
    for batch in chain.from_iterable(epochs):
        by_place = task._pairs.classes[batch].reshape(3, 2)
        assert (by_place[:, 0] == by_place[:, 1]).all() and len(set(by_place[:, 0])) == 3
        assert len(set(task._pairs.queries[batch])) == len(set(task._pairs.gallery[batch])) == 6
    assert all(len(batches) == PLACES // 3 for batches in epochs)
    used = np.unique(np.concatenate(list(chain.from_iterable(epochs))))
    assert len(used) > 0.8 * len(task._pairs)


def test_pictures_of_one_satellite_picture_share_it() -> None:
    """As in University-1652, whose 54 drone views have one."""
    queries = tuple(Item(Path(f"q{n}"), str(n // 4)) for n in range(12))
    gallery = tuple(Item(Path(f"g{n}"), str(n)) for n in range(3))
    found = TrainingSet(
        "one", View.DRONE, View.SATELLITE, (8, 8), (8, 8), queries, gallery,
        tuple((n // 4,) for n in range(12)),
    )  # fmt: skip
    pairs = pairs_of(found)
    (batch,) = class_batches(pairs, 0, 0, 3, 4)
    assert sorted(batch.tolist()) == list(range(12))
    assert (pairs.gallery[batch] == pairs.classes[batch]).all()


def test_every_picture_of_a_place_counts_as_a_match(dense: Path) -> None:
    """The loss is that of both views' descriptors under their labels: other labels, another."""
    task = RetrievalDatasetTask(several(dense))
    batch = next(iter(task.batches(0)))
    apart = replace(batch, classes=np.arange(6))
    with torch.no_grad():
        own, other = (
            float(task.model(b, task._views, False)[0]["retrieval"]) for b in (batch, apart)
        )
    assert np.isfinite([own, other]).all() and abs(own - other) > 1e-3


def test_settings_that_do_not_fit_are_named(dense: Path) -> None:
    table = {
        "task": "retrieval-dataset", "network": "tiny", "dataset": "denseuav", "root": str(dense),
        "loss": "multi-similarity", "sampling": "several", "batch_pairs": 8, "run": {"steps": 1},
    }  # fmt: skip
    settings = task_settings(table, "train.toml")
    assert isinstance(settings, RetrievalDatasetSettings) and settings.pictures_per_place == 4
    for changes, sentence in (
        ({"sampling": "gps"}, "loss 'multi-similarity' with sampling 'gps'"),
        ({"loss": "infonce"}, "loss 'infonce' with sampling 'several'"),
        ({"batch_pairs": 10}, "batch_pairs is 10; it must be a multiple of pictures_per_place, 4"),
        ({"batch_pairs": 4}, "at least twice as many"),
        ({"pictures_per_place": 1}, "pictures_per_place must be at least 2"),
        ({"loss": "triplet"}, "loss"),
    ):
        with pytest.raises(InputError, match=sentence) as caught:
            task_settings(table | changes, "train.toml")
        assert "train.toml" in str(caught.value) and "\n" not in str(caught.value)


def test_sets_without_several_pictures_a_place_are_refused(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"no place has 4 drone pictures .*lower .* to 3"):
        RetrievalDatasetTask(several(dense, batch_pairs=8, pictures_per_place=4))
    found = retrieval_dataset.read_training_set("denseuav", dense)
    lone = replace(
        found,
        queries=found.queries[::3],
        positives=found.positives[::3],
    )
    near = replace(found, semi_positives=((0,),) * len(found.queries))
    for changed, sentence in (
        (lone, "no place has 2 drone pictures .*'infonce'"),
        (near, "overlap those of other places"),
    ):
        monkeypatch.setattr(retrieval_dataset, "read_training_set", lambda *_, c=changed: c)
        with pytest.raises(InputError, match=sentence):
            RetrievalDatasetTask(several(dense))


def test_positions_in_metres_serve_gps_sampling(
    dense: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CVACT's and GTA-UAV's: the neighbours of place n on a line are n - 1 and n + 1."""
    found = retrieval_dataset.read_training_set("denseuav", dense)
    gallery = tuple(
        Item(i.picture, i.label, position_m=(693_000.0 + 10 * int(i.label) ** 2, 6_090_000.0))
        for i in found.gallery
    )
    metric = replace(found, gallery=gallery)
    monkeypatch.setattr(retrieval_dataset, "read_training_set", lambda *_: metric)
    task = RetrievalDatasetTask(settings_for(dense, sampling=Sampling.GPS))
    table = task._by_gps()
    assert table is not None
    for own, row in zip(task._pairs.classes, table, strict=True):
        nearest = [int(metric.gallery[j].label) for j in row[row >= 0]]
        away = [abs(place**2 - int(own) ** 2) for place in nearest]
        assert away == sorted(away) and len(nearest) == 2 * (PLACES - 1) and own not in nearest
