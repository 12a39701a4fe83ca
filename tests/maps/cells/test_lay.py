from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from maps.cells.lay import lay_cell, lay_task
from maps.cells.selection import Selection
from maps.cells.store import CellStore, StoreHeader
from maps.cells.tile_files import write_imagery
from onboard.errors import InputError
from onboard.pack.imagery import Imagery
from onboard.pack.pack_manifest import PackModel
from tests.maps.cells.small_recipe import lay_all, opened_of
from tests.maps.small_imagery import texture, write_tif, write_xyz

LEVEL, X0, Y0 = 12, 2000, 1500  # x 2016, y 1504 are cell borders


def lay(folder, inputs, levels):
    """All cells' imagery in one file."""
    store = CellStore(str(folder / "cells"))
    laid = lay_all(opened_of(inputs, levels), store)
    header = StoreHeader(1, 0, levels, PackModel("m", "0" * 64, 4), (), True)
    write_imagery(folder / "m.mbtiles", store, list(laid), Selection(None, levels), header, folder)
    return Imagery(folder / "m.mbtiles")


def test_tiles_are_there_at_every_level_and_none_is_lost_at_a_seam_of_blocks_or_cells(tmp_path):
    picture = texture(256 * 3, 256 * 20)
    folder = write_xyz(tmp_path / "t", picture, LEVEL, X0 + 1, Y0 + 2)
    read = lay(tmp_path, [folder], (LEVEL - 2, LEVEL))
    fine = {(X0 + 1 + x, Y0 + 2 + y) for x in range(20) for y in range(3)}
    assert len({(x >> 5, y >> 5) for x, y in fine}) == 4
    assert set(read.tiles.positions(LEVEL)) == fine
    assert set(read.tiles.positions(LEVEL - 2)) == {(x // 4, y // 4) for x, y in fine}
    assert read.tiles.levels == (LEVEL - 2, LEVEL)
    out = read.picture(LEVEL, (X0 + 1) * 256, (Y0 + 2) * 256, 256 * 20, 256 * 3)
    assert out.any(axis=2).all()
    assert np.abs(out.astype(int) - picture).mean() < 3


def test_coarser_levels_are_the_mean_of_the_finer(tmp_path):
    picture = texture(1024, 1024)
    folder = write_xyz(tmp_path / "t", picture, LEVEL, X0, Y0)
    out = lay(tmp_path, [folder], (LEVEL - 1, LEVEL)).picture(
        LEVEL - 1, X0 * 128, Y0 * 128, 512, 512
    )
    mean = picture.reshape(512, 2, 512, 2, 3).mean(axis=(1, 3))
    assert np.abs(out - mean).mean() < 3


def test_the_later_input_wins_and_its_holes_show_the_earlier(tmp_path):
    below = np.full((512, 512, 3), (40, 90, 160), np.uint8)
    above = np.full((512, 512, 3), (200, 60, 30), np.uint8)
    above[:, 256:] = 0
    folders = [
        write_xyz(tmp_path / name, p, LEVEL, X0, Y0) for name, p in (("a", below), ("b", above))
    ]
    out = lay(tmp_path, folders, (LEVEL,)).picture(LEVEL, X0 * 256, Y0 * 256, 512, 512)
    assert np.abs(out[:, :256].astype(int) - (200, 60, 30)).max() < 6
    assert np.abs(out[:, 256:].astype(int) - (40, 90, 160)).max() < 6


def test_two_pictures_that_share_an_edge_leave_no_gap(tmp_path):
    whole = texture(600, 800)
    left = write_tif(tmp_path / "l.tif", whole[:, :400])
    right = write_tif(tmp_path / "r.tif", whole[:, 400:], origin=(500_000 + 400 * 0.6, 3_100_000))
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    two = lay(tmp_path / "two", [left, right], (18,))
    one = lay(tmp_path / "one", [write_tif(tmp_path / "w.tif", whole)], (18,))
    assert one.tiles.positions(18) == two.tiles.positions(18)
    for x, y in one.tiles.positions(18):
        a, b = one.picture(18, x * 256, y * 256), two.picture(18, x * 256, y * 256)
        assert np.array_equal(a.any(axis=2), b.any(axis=2))


def test_a_cell_is_laid_once_and_again_when_what_it_is_made_of_changes(tmp_path):
    folder = write_xyz(tmp_path / "t", texture(512, 512), LEVEL, X0, Y0)
    store = CellStore("memory://laid-once")
    (first,) = lay_all(opened_of([folder], (LEVEL,)), store).values()

    def no_reading(*_):
        raise AssertionError("imagery was read again")

    again = opened_of([folder], (LEVEL,))
    again.sources[0].read = no_reading
    assert list(lay_all(again, store).values()) == [first]
    write_xyz(tmp_path / "t", texture(256, 256, seed=2), LEVEL, X0, Y0)
    (changed,) = lay_all(opened_of([folder], (LEVEL,)), store).values()
    assert changed.key != first.key and changed.files != first.files


def test_the_same_cell_has_the_same_bytes_however_often_it_is_laid(tmp_path):
    folder = write_xyz(tmp_path / "t", texture(256 * 6, 256 * 9), LEVEL, X0, Y0)
    marks = [
        lay_all(opened_of([folder], (LEVEL - 1, LEVEL)), CellStore(f"memory://bytes-{i}"))
        for i in range(2)
    ]
    assert marks[0] == marks[1]


def test_a_cell_of_blank_imagery_is_done_and_empty(tmp_path):
    folder = write_xyz(tmp_path / "t", np.full((256, 256, 3), 255, np.uint8), LEVEL, X0, Y0)
    (mark,) = lay_all(opened_of([folder], (LEVEL,)), CellStore("memory://blank")).values()
    assert mark.files == () and mark.count == 0


def test_a_damaged_source_is_named_and_leaves_no_mark(tmp_path):
    path = write_tif(tmp_path / "a.tif", texture(900, 900), tiled=True, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    opened, store = opened_of([path], (18,)), CellStore(str(tmp_path / "cells"))
    task = lay_task(opened, opened.cells()[0])
    with ThreadPoolExecutor(1) as pool, pytest.raises(InputError, match=r"a\.tif"):
        lay_cell(task, opened, store, pool)
    assert store.cells() == set()


def test_tiles_added_elsewhere_leave_a_cell_as_it_is(tmp_path):
    folder = write_xyz(tmp_path / "t", texture(512, 512), LEVEL, X0, Y0)
    (before,) = lay_all(opened_of([folder], (LEVEL,)), CellStore("memory://here")).items()
    write_xyz(folder, texture(256, 256, seed=2), LEVEL, X0 + 40, Y0)
    after = lay_all(opened_of([folder], (LEVEL,)), CellStore("memory://there"))
    assert len(after) > 1 and after[before[0]].files == before[1].files
    far = write_xyz(tmp_path / "far", texture(256, 256), LEVEL, X0 + 300, Y0)
    opened = opened_of([folder, far], (LEVEL,))
    assert {lay_task(opened, cell).key for cell in after} == {m.key for m in after.values()}
