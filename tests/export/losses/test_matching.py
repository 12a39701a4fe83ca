import pytest
import torch

from export.losses.matching import cell_loss, centre_labels, patch_loss, retrieval_loss
from export.networks.map_matching import PatchMatcher
from export.networks.unifygeo_edge import unit

IDENTITY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def shifted(dx: float, dy: float) -> torch.Tensor:
    transform = IDENTITY.clone()
    transform[:, 2] = torch.tensor([dx, dy])
    return transform


def test_label_lies_where_the_centre_lies():
    transforms = torch.stack((IDENTITY, shifted(16.0, -8.0)))
    labels = centre_labels(transforms, 192, 4)
    assert labels.shape == (2, 49, 49)
    assert torch.allclose(labels.sum((1, 2)), torch.ones(2))
    assert divmod(int(labels[0].argmax()), 49) == (24, 24)
    assert divmod(int(labels[1].argmax()), 49) == (24 - 2, 24 + 4)


def test_cell_loss_is_least_where_the_label_is():
    labels = centre_labels(IDENTITY[None], 64, 4)
    right, wrong = torch.zeros(1, 17, 17), torch.zeros(1, 17, 17)
    right[0, 8, 8] = wrong[0, 2, 3] = 3.0
    flat = cell_loss(torch.zeros(1, 17, 17), labels)
    assert cell_loss(right, labels) < flat < cell_loss(wrong, labels)


def test_other_tiles_compete():
    label = torch.zeros(1, 2, 9, 9)
    label[0, 0, 4, 4] = 1.0
    logits = torch.zeros(1, 2, 9, 9)
    logits[0, 0, 4, 4] = 5.0
    alone = cell_loss(logits, label)
    logits[0, 1, 0, 0] = 5.0
    assert cell_loss(logits, label) > alone


def test_retrieval_loss_rewards_the_diagonal_and_the_short_descriptor():
    torch.manual_seed(0)
    d = unit(torch.randn(8, 256))
    scale = torch.tensor(2.66)
    right = retrieval_loss(d, d, scale)
    assert right < retrieval_loss(d, d.roll(1, 0), scale)
    short_wrong = torch.cat((d[:, :64].roll(1, 0), d[:, 64:]), 1)
    assert right < retrieval_loss(d, unit(short_wrong), scale)


@pytest.mark.parametrize("shift", [(0, 0), (8, -4), (40, 20)])
def test_patch_loss_is_least_at_the_true_shift(shift):
    torch.manual_seed(0)
    ground = torch.randn(1, 8, 72, 72)
    dx, dy = shift
    cells_x, cells_y = dx // 4, dy // 4
    view = unit(ground[:, :, 12:60, 12:60])
    tile = unit(ground[:, :, 12 - cells_y : 60 - cells_y, 12 - cells_x : 60 - cells_x])
    matcher = PatchMatcher()
    true = patch_loss(matcher, view, tile, shifted(dx, dy)[None])
    assert true < patch_loss(matcher, view, tile, shifted(dx + 12, dy)[None]) - 0.5


def test_the_losses_work_where_their_inputs_are():
    """Tensors made without a device would land on the default one: here it is none that works,
    as it is the CPU while the network trains on a GPU."""
    torch.manual_seed(0)
    matcher = PatchMatcher()
    view, tile = unit(torch.randn(1, 8, 48, 48)), unit(torch.randn(1, 8, 48, 48))
    transform = shifted(8.0, -4.0)[None]
    labels, loss = centre_labels(transform, 192, 4), patch_loss(matcher, view, tile, transform)
    with torch.device("meta"):
        assert torch.equal(centre_labels(transform, 192, 4), labels)
        assert torch.equal(patch_loss(matcher, view, tile, transform), loss)
