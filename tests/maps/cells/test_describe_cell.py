import numpy as np
import pytest

from maps.cells.cell import Cell
from maps.cells.describe import (
    batches_of,
    describe_cell,
    describe_task,
    described_tiles,
)
from maps.cells.lay import lay_task
from maps.cells.run_here import run_here
from maps.cells.store import CellStore, Step
from onboard.errors import InputError
from tests.maps.cells.small_recipe import lay_all, opened_of
from tests.maps.small_imagery import texture, write_xyz

LEVEL, X0, Y0 = 14, 190 * 32, 125 * 32  # where four cells of level 9 meet
HOME = Cell(9, 189, 124)  # the one to the north-west


@pytest.fixture(scope="module")
def picture():
    return texture(256 * 4, 256 * 4)


@pytest.fixture(scope="module")
def opened(picture, tmp_path_factory):
    folder = write_xyz(tmp_path_factory.mktemp("t"), picture, LEVEL, X0 - 2, Y0 - 2)
    return opened_of([folder], (LEVEL - 1, LEVEL))


def task_of(cell, opened, laid):
    return describe_task(cell, opened.recipe, [laid.get(c) for c in cell.needed()])


def test_tiles_over_the_corner_of_four_cells_show_what_lies_there(opened, picture, tmp_path):
    store = CellStore(f"memory://{tmp_path.name}")
    task = task_of(HOME, opened, lay_all(opened, store))
    assert task is not None and [cell for cell, _ in task.imagery] == list(HOME.needed())
    shown = {}
    for batch in batches_of(task, opened.recipe, store, tmp_path):
        for tile, found in zip(batch.tiles, batch.pictures, strict=True):
            shown[(batch.level, *tile)] = found
    # Upper left corners on all half steps in the cell, and half a tile beyond its imagery.
    cols, rows = range(2 * X0 - 5, 2 * X0), range(2 * Y0 - 5, 2 * Y0)
    fine = {(c, r) for level, c, r in shown if level == LEVEL}
    assert fine == {(c, r) for c in cols for r in rows} - {(cols[0], rows[0])}
    corner = shown[LEVEL, 2 * X0 - 1, 2 * Y0 - 1]
    assert np.abs(corner.astype(int) - picture[384:640, 384:640]).mean() < 3


def test_a_cell_described_alone_has_the_same_bytes_as_in_the_crowd(opened, tmp_path):
    crowd = CellStore(f"memory://{tmp_path.name}-crowd")
    run_here(opened, crowd, [lay_task(opened, cell) for cell in opened.cells()])
    alone = CellStore(str(tmp_path / "alone"))
    laid = lay_all(opened, alone)
    for cell in reversed(sorted(laid, key=lambda c: c.name)):
        describe_cell(task_of(cell, opened, laid), opened, alone)
        assert alone.mark(cell, Step.DESCRIBE) == crowd.mark(cell, Step.DESCRIBE)


def test_a_described_cell_is_read_back_sorted_by_level(opened, tmp_path):
    store = CellStore(str(tmp_path / "s"))
    laid = lay_all(opened, store)
    mark = describe_cell(task_of(HOME, opened, laid), opened, store)
    path = store.local(HOME, mark.file("tiles.npz"), tmp_path)
    for level, count in mark.counts:
        cols, rows, descriptors = described_tiles(path, level)
        assert len(cols) == len(rows) == len(descriptors) == count
        assert (np.lexsort((cols, rows)) == np.arange(count)).all()
        norms = np.linalg.norm(descriptors.astype(np.float32), axis=1)
        assert np.abs(norms - 1).max() < 1e-2
        assert (cols >> (level - 9 + 1) == HOME.x).all() and (rows >> (level - 8) == HOME.y).all()
    assert described_tiles(path, LEVEL + 1) is None


def test_what_a_neighbour_has_beyond_reach_does_not_matter(opened, picture, tmp_path):
    before = task_of(HOME, opened, lay_all(opened, CellStore(f"memory://{tmp_path.name}-1")))
    for name, x, same in (("far", X0 + 1, True), ("near", X0, False)):
        changed = picture.copy()
        left = (x - X0 + 2) * 256
        changed[:, left : left + 256] = 255 - changed[:, left : left + 256]
        folder = write_xyz(tmp_path / name, changed, LEVEL, X0 - 2, Y0 - 2)
        other = opened_of([folder], (LEVEL,))
        laid = lay_all(other, CellStore(f"memory://{tmp_path.name}-{name}"))
        plain = opened_of([opened.recipe.inputs[0]], (LEVEL,))
        as_it_was = lay_all(plain, CellStore(f"memory://{tmp_path.name}-{name}-plain"))
        keys = {task_of(HOME, other, laid).key, task_of(HOME, plain, as_it_was).key}
        assert (len(keys) == 1) is same
        assert before.key not in keys  # of other levels


def test_imagery_changed_behind_the_store_s_back_is_named(opened, tmp_path):
    store = CellStore(str(tmp_path / "s"))
    laid = lay_all(opened, store)
    path = tmp_path / "s" / HOME.needed()[1].name / "imagery.mbtiles"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"z9-190-124/imagery\.mbtiles is not as its mark says"):
        describe_cell(task_of(HOME, opened, laid), opened, store)
    assert store.mark(HOME, Step.DESCRIBE) is None


def test_a_cell_without_imagery_under_it_is_not_described(opened, tmp_path):
    laid = lay_all(opened, CellStore(f"memory://{tmp_path.name}"))
    assert task_of(Cell(9, 50, 50), opened, laid) is None
    assert task_of(Cell(9, 188, 124), opened, laid) is None  # imagery, but none on that edge


def test_descriptors_that_are_none_are_a_sentence(tmp_path):
    file = tmp_path / "tiles.npz"
    file.write_bytes(b"PK")
    with pytest.raises(InputError, match="not a cell's descriptors"):
        described_tiles(file, LEVEL)
    np.savez(file, cols18=np.zeros(1, np.int32))
    with pytest.raises(InputError, match="not a cell's descriptors"):
        described_tiles(file, 18)
