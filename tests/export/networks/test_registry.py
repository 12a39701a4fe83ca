import pytest
import torch

from export.networks.dinov2 import DinoV2
from export.networks.registry import (
    NETWORKS,
    Views,
    load_network,
    make_network,
    network_entry,
)
from onboard.errors import InputError


@pytest.mark.parametrize("name", [n for n, e in NETWORKS.items() if e.views is Views.OVERHEAD])
def test_networks_are_what_their_entries_say(name):
    entry = NETWORKS[name]
    with torch.device("meta"):
        network = make_network(name)
        pictures = torch.empty(2, 3, entry.default_size_px, entry.default_size_px)
        assert network(pictures).shape == (2, entry.descriptor_dim)
        network.get_submodule(entry.released_part)
    assert entry.normalisation == "imagenet" and entry.name == name


def test_the_nearest_name_is_given():
    with pytest.raises(InputError, match="no network is called 'gengeos'; did you mean 'gengeo'"):
        make_network("gengeos")
    with pytest.raises(InputError, match="no network is called 'zzz'; known are gengeo, "):
        network_entry("zzz")


@pytest.mark.parametrize(
    ("name", "px", "sentence"),
    [
        ("dinov2-s", 100, "dinov2-s at 100 px: .*multiples of 14 px.*nearest is 98"),
        ("gengeo", 112, "gengeo at 112 px: .*64 clusters"),
        ("geolink", -14, "geolink at -14 px: .*multiples of 14"),
    ],
)
def test_unfit_sizes_are_one_sentence(name, px, sentence):
    with torch.device("meta"), pytest.raises(InputError, match=sentence):
        make_network(name, px)


@torch.no_grad()
def test_published_weights_by_name(tmp_path):
    released = DinoV2("small", 70).eval()
    torch.save(released.state_dict(), tmp_path / "dinov2_vits14_pretrain.pth")
    network = load_network("dinov2-s", tmp_path / "dinov2_vits14_pretrain.pth", 70)
    pictures = torch.randn(2, 3, 70, 70)
    token = released(pictures)[0]
    assert not network.training
    assert torch.allclose(network(pictures), token / token.norm(dim=1, keepdim=True), atol=1e-6)


def test_weights_of_a_training_of_ours(tmp_path):
    trained = make_network("dinov2-s", 70)
    average = {f"network.{k}": v for k, v in trained.state_dict().items()}
    torch.save({"step": 3, "model": {}, "average": average}, tmp_path / "checkpoint.pt")
    network = load_network("dinov2-s", tmp_path / "checkpoint.pt", 70, prefix="network.")
    assert torch.equal(network.backbone.cls_token, trained.backbone.cls_token)
