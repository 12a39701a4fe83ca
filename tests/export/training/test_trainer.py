"""A whole training in miniature: pictures on disk to a bundle that the flight code runs."""

import csv
import dataclasses
import json

import cv2
import numpy as np
import onnx
import pytest
import torch

from export.bundles.flight_bundle import write_bundle
from export.bundles.trained_bundle import bundle_from_checkpoint
from export.networks.map_matching import HeatmapDecoder
from export.networks.unifygeo_edge import UnifyGeoEdge
from export.training import trainer
from export.training.run_settings import Run
from export.training.tasks.unifygeo_edge import UnifyGeoEdgeSettings, UnifyGeoEdgeTask
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.model_bundle import load_bundle
from tests.export.training.miniature_pairs import miniature_pairs


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Settings of a training of four steps on pictures of blurred noise."""
    torch.set_num_threads(1)
    pairs, held_out = miniature_pairs(tmp_path_factory.mktemp("pictures"))
    return UnifyGeoEdgeSettings(
        model_id="miniature",
        run=Run(steps=4, validate_every_steps=4, checkpoint_every_steps=2),
        pairs=pairs,
        held_out=(held_out,),
    )


def train(settings, out):
    return trainer.train(UnifyGeoEdgeTask(settings), settings.run, repr(settings), out)


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    return train(small, tmp_path_factory.mktemp("run"))


def test_a_killed_run_goes_on_to_the_same_weights(small, trained, tmp_path):
    """Killed after step 2 and some lines of log more."""
    seen = []

    class Killed(Exception):
        pass

    save = trainer._save

    def save_and_die(path, identity, step, *rest):
        save(path, identity, step, *rest)
        seen.append(step)
        raise Killed

    trainer._save = save_and_die
    try:
        with pytest.raises(Killed):
            train(small, tmp_path)
    finally:
        trainer._save = save
    assert seen == [2]
    checkpoint = train(small, tmp_path)
    a, b = (torch.load(p, weights_only=True)["average"] for p in (trained, checkpoint))
    assert all(torch.allclose(a[k], b[k], atol=1e-6) for k in a)
    with (tmp_path / "validation.csv").open() as f:
        assert [row["step"] for row in csv.DictReader(f)] == ["4"]
    assert cv2.imread(str(tmp_path / "curves.png")) is not None


def test_statistics_are_averaged_with_the_weights_that_they_belong_to():
    model, average = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    for value in model.running_mean, model.weight.data:
        value.fill_(5.0)
    average.weight.data.fill_(1.0)
    model.num_batches_tracked.fill_(7)
    trainer._average_weights(model, average, 0.75)
    assert average.weight.tolist() == [2.0, 2.0]
    assert average.running_mean.tolist() == [1.25, 1.25]
    assert int(average.num_batches_tracked) == 7


def test_another_configuration_does_not_overwrite(small, trained):
    with pytest.raises(InputError, match="other settings"):
        train(dataclasses.replace(small, learning_rate=0.5), trained.parent)


def test_a_damaged_checkpoint_is_named(small, trained, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(trained.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"checkpoint\.pt.*remove it"):
        train(small, tmp_path)


def test_bundle_flies(small, trained, tmp_path):
    parity = bundle_from_checkpoint(trained, small, tmp_path / "bundle")
    assert max(parity.values()) < 1e-3
    info = json.loads((tmp_path / "bundle" / "model.json").read_text())
    assert info["id"] == "miniature" and info["trained_on"] == ["set: CC0"]
    for name in (n for n in info["files"] if n.endswith(".onnx")):
        model = onnx.load(tmp_path / "bundle" / name)
        assert model.opset_import[0].version == info["opset"]
    describer = Describer(load_bundle(tmp_path / "bundle"), threads=1)
    pictures = np.random.default_rng(0).integers(1, 255, (3, 256, 256, 3), dtype=np.uint8)
    described = describer.describe(pictures)
    assert np.allclose(
        [d.descriptor for d in described], describer.descriptors(pictures), atol=1e-5
    )
    assert describer.network.heatmaps(described[0], described).shape == (3, 65, 65)


def test_bad_weights_leave_the_old_bundle(tmp_path):
    network, decoder = UnifyGeoEdge(), HeatmapDecoder()
    write_bundle(tmp_path / "bundle", "good", network, decoder, {"train_ground_size_m": [0.1, 1.0]})
    with torch.no_grad():
        network.lateral.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="differs from PyTorch"):
        write_bundle(tmp_path / "bundle", "bad", network, decoder, {"train_ground_size_m": [0, 1]})
    assert load_bundle(tmp_path / "bundle").id == "good"
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


def test_starting_weights_must_fit(small, tmp_path):
    torch.save({"c.other": torch.zeros(1)}, tmp_path / "weights.pth")
    settings = dataclasses.replace(small, start_from=tmp_path / "weights.pth")
    with pytest.raises(InputError, match=r"weights\.pth.*start_from"):
        train(settings, tmp_path / "run")
