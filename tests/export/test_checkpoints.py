import os
import pickle

import pytest
import torch
from torch import nn

from export.checkpoint_layouts import known_layout
from export.checkpoints import load_weights, read_state_dict
from export.networks.salad import Salad
from onboard.errors import InputError


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@pytest.fixture
def saved():
    torch.manual_seed(2)
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    other[1].num_batches_tracked += 7
    return other.state_dict()


def same(net, state):
    own = net.state_dict()
    return set(own) == set(state) and all(torch.equal(own[k], state[k]) for k in own)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"settings": "x", "step": 4, "model": {}, "average": s, "optimizer": {"a": 1}},
        lambda s: {f"module.{k}": v for k, v in s.items()},
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_reads_the_usual_files(tmp_path, saved, wrap, zipped):
    path, net = tmp_path / "w.pth", network()
    torch.save(wrap(saved), path, _use_new_zipfile_serialization=zipped)
    load_weights(net, path)
    assert same(net, saved) and int(net[1].num_batches_tracked) == 7


def test_takes_only_what_the_prefix_names(tmp_path, saved):
    path, net = tmp_path / "w.pth", network()
    torch.save({f"head.{k}": v for k, v in saved.items()} | {"tail.x": torch.ones(1)}, path)
    load_weights(net, path, prefix="head.")
    assert same(net, saved)
    with pytest.raises(InputError, match=r"w\.pth: has no weights below 'body\.'"):
        load_weights(net, path, prefix="body.")


def test_leaves_what_it_is_told_to(tmp_path, saved):
    path, net = tmp_path / "w.pth", network()
    torch.save(saved | {"norm.weight": torch.ones(2)}, path)
    load_weights(net, path, leave=("norm.",))
    assert same(net, saved)


def test_half_precision_weights_are_widened(tmp_path, saved):
    path, net = tmp_path / "w.pth", network()
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in saved.items()}, path)
    load_weights(net, path)
    assert net[0].weight.dtype == torch.float32
    assert torch.equal(net[0].weight, saved["0.weight"].half().float())


def test_safetensors(tmp_path, saved):
    torch_files = pytest.importorskip("safetensors.torch", reason="pip install safetensors")
    path, net = tmp_path / "w.safetensors", network()
    torch_files.save_file(saved, path)
    load_weights(net, path)
    assert same(net, saved)
    path.write_bytes(path.read_bytes()[:-9])
    refused(net, path, "damaged")


def refused(net, path, sentence):
    """With the sentence, and the network as it was."""
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(InputError, match=sentence) as caught:
        load_weights(net, path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert same(net, before)


def test_no_such_file(tmp_path):
    refused(network(), tmp_path / "absent.pth", "no such file")
    refused(network(), tmp_path, "no such file")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_off_anywhere(tmp_path, saved, share, zipped):
    path = tmp_path / "w.pth"
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refused(network(), path, "damaged")


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"<html>not found</html>", bytes(500)])
def test_a_file_that_is_none_of_torch(tmp_path, content):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    refused(network(), path, "damaged")


class Evil:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (self.target,)


@pytest.mark.parametrize("write", ["torch", "legacy", "pickle"])
def test_a_pickle_that_would_run_code(tmp_path, saved, write):
    path, target = tmp_path / "w.pth", tmp_path / "made"
    content = {**saved, "x": Evil(str(target))}
    if write == "pickle":
        path.write_bytes(pickle.dumps(content["x"]))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=write == "torch")
    # of a plain pickle's newer protocol torch does not even read the name
    named = "nothing in it was run" if write == "pickle" else r"would call posix\.mkdir"
    refused(network(), path, named)
    assert not target.exists()


@pytest.mark.parametrize("content", [[1, 2], torch.ones(3), {}, {"state_dict": {}}])
def test_no_state_dict_at_all(tmp_path, content):
    path = tmp_path / "w.pth"
    torch.save(content, path)
    refused(network(), path, "holds no weights by name")


def test_a_dictionary_of_something_else(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"epoch": 3, "weights": {"a": torch.ones(1)}}, path)
    refused(network(), path, "'epoch', 'weights' being no tensor")


def test_weights_of_another_network_are_named_and_counted(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({f"{i}.weight": torch.ones(1) for i in range(2, 7)}, path)
    refused(
        network(),
        path,
        "lacks '0.weight', '0.bias', '1.weight' and 4 more and has '2.weight', '3.weight', "
        "'4.weight' and 2 more that the network does not know",
    )


def test_the_layout_of_the_file_is_named(tmp_path):
    path = tmp_path / "w.pth"
    salad = {f"aggregator.{k}": v for k, v in Salad(8).state_dict().items()}
    torch.save(salad | {"backbone.model.pos_embed": torch.ones(1, 1370, 8)}, path)
    refused(network(), path, r"the file looks like dino_salad\.ckpt \(GenGeo\)")


def test_dinov2_sizes_are_told_apart():
    state = {k: torch.ones(1, 1, 384) for k in ("pos_embed", "mask_token", "blocks.0.ls1.gamma")}
    assert known_layout(state) == "DINOv2 ViT-S/14"
    state["register_tokens"] = torch.ones(1)
    assert known_layout(state) == "DINOv2 ViT-S/14 with registers"
    assert known_layout({"what": torch.ones(1)}) is None


def test_other_shapes_are_named_on_both_sides(tmp_path, saved):
    path = tmp_path / "w.pth"
    torch.save(saved | {"0.weight": torch.ones(4, 5), "0.bias": torch.ones(5)}, path)
    refused(
        network(), path, r"'0\.weight' is \(4, 5\) there and \(4, 3\) in the network \(and 1 more\)"
    )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(tmp_path, saved, bad):
    saved["1.running_var"][2] = bad
    path = tmp_path / "w.pth"
    torch.save(saved, path)
    refused(network(), path, r"'1\.running_var' holds 1 NaN or infinite values of 4")


def test_state_dicts_are_readable_without_a_network(tmp_path, saved):
    torch.save(saved, tmp_path / "w.pth")
    assert list(read_state_dict(tmp_path / "w.pth")) == list(saved)
