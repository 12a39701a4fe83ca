"""The small sisters: a descriptor over unifygeo-edge's frozen encoder, as a bundle that flies."""

import numpy as np
import pytest
import torch

from export.bundles.bundle_weights import bundle_weights
from export.bundles.trained_bundle import bundle_from_checkpoint
from export.networks.edge_branches import Aggregator
from export.training.run_settings import Run
from export.training.tasks.overhead_descriptor import (
    OverheadDescriptorSettings,
    OverheadDescriptorTask,
)
from export.training.trainer import train
from onboard.describe import Describer
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle
from tests.export.training.miniature_pairs import miniature_pairs


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    torch.set_num_threads(1)
    pairs, held_out = miniature_pairs(tmp_path_factory.mktemp("pictures"), 256)
    return OverheadDescriptorSettings(
        "small", Aggregator.SALAD, Run(2, validate_every_steps=2), pairs, (held_out,),
        start_from_bundle=DEFAULT_BUNDLE,
    )  # fmt: skip


def test_bundle_keeps_the_maps_and_gets_its_own_descriptor(settings, tmp_path):
    checkpoint = train(OverheadDescriptorTask(settings), settings.run, "", tmp_path / "run")
    bundle_from_checkpoint(checkpoint, settings, tmp_path / "bundle")
    pictures = np.random.default_rng(0).integers(1, 255, (1, 256, 256, 3), dtype=np.uint8)
    own, first = (
        Describer(load_bundle(path), threads=1).describe(pictures)[0]
        for path in (tmp_path / "bundle", DEFAULT_BUNDLE)
    )
    assert np.allclose(own.coarse, first.coarse, atol=1e-5)
    assert np.allclose(own.fine, first.fine, atol=1e-5)
    assert abs(float(own.descriptor @ first.descriptor)) < 0.9
    for name in ("rerank.onnx", "decoder.onnx", "patches.onnx"):
        assert (tmp_path / "bundle" / name).read_bytes() == (DEFAULT_BUNDLE / name).read_bytes()


def test_only_the_descriptor_is_trained(settings):
    task = OverheadDescriptorTask(settings)
    trained = {id(p) for g in task.parameter_groups() for p in g["params"]}
    names = {n for n, p in task.model.named_parameters() if id(p) in trained}
    assert all(n.startswith("network.global_branch.") or n == "log_scale" for n in names)
    weights = bundle_weights(load_bundle(DEFAULT_BUNDLE))
    state = task.model.state_dict()
    assert torch.equal(state["network.encoder.block1_0.weight"], weights["encoder.block1_0.weight"])


def test_both_starting_points_exclude_one_another(settings, tmp_path):
    with pytest.raises(ValueError, match="exclude one another"):
        OverheadDescriptorSettings(
            "small", Aggregator.GEM, Run(2), settings.pairs, settings.held_out,
            start_from=tmp_path, start_from_bundle=DEFAULT_BUNDLE,
        )  # fmt: skip
