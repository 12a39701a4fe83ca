import pytest
import torch
import torch.nn.functional as F

from export.networks.position_table import resampled_position_table

MAX_ERROR = 1e-5
GRID = 37


def random_table(dim=8):
    return 0.3 * torch.randn(1, 1 + GRID * GRID, dim, generator=torch.Generator().manual_seed(0))


def upstream(table, rows, columns, antialiased):
    """The call that facebookresearch/dinov2 makes (interpolate_pos_encoding)."""
    patches = table[:, 1:].reshape(1, GRID, GRID, -1).permute(0, 3, 1, 2)
    if antialiased:
        got = F.interpolate(patches, size=(rows, columns), mode="bicubic", antialias=True)
    else:
        scales = ((rows + 0.1) / GRID, (columns + 0.1) / GRID)
        got = F.interpolate(patches, scale_factor=scales, mode="bicubic", antialias=False)
    got = got.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)
    return torch.cat([table[:, :1], got], dim=1)


@pytest.mark.parametrize("antialiased", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (23, 23), (32, 32), (8, 8), (40, 40), (16, 44)])
def test_equals_upstream(size, antialiased):
    table = random_table()
    got = resampled_position_table(table, *size, antialiased)
    assert got.shape == (1, 1 + size[0] * size[1], 8)
    assert (got - upstream(table, *size, antialiased)).abs().max() < MAX_ERROR


def test_the_tenth_of_a_cell_is_there():
    """Left out, it shows: this is what separates the two kinds of model."""
    table = random_table()
    got = resampled_position_table(table, 16, 16, antialiased=False)
    patches = table[:, 1:].reshape(1, GRID, GRID, -1).permute(0, 3, 1, 2)
    naive = F.interpolate(patches, size=(16, 16), mode="bicubic").permute(0, 2, 3, 1)
    assert (got[:, 1:] - naive.reshape(1, 256, -1)).abs().max() > 0.1


@pytest.mark.parametrize("antialiased", [False, True])
def test_the_released_grid_stays(antialiased):
    table = random_table()
    got = resampled_position_table(table, GRID, GRID, antialiased)
    assert torch.equal(got, table) and got.data_ptr() != table.data_ptr()


@pytest.mark.parametrize("antialiased", [False, True])
def test_half_precision_tables_are_resampled_in_single(antialiased):
    table = random_table().half()
    got = resampled_position_table(table, 16, 16, antialiased)
    assert got.dtype == torch.float32
    assert (got - upstream(table.float(), 16, 16, antialiased)).abs().max() < MAX_ERROR


@pytest.mark.parametrize("antialiased", [False, True])
def test_an_even_table_stays_even(antialiased):
    got = resampled_position_table(torch.ones(1, 1 + GRID * GRID, 2), 23, 16, antialiased)
    assert torch.allclose(got, torch.ones_like(got), atol=1e-6)
