from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from maps.mosaic import Mosaic
from maps.open_imagery import open_imagery
from maps.plan import make_plan
from onboard.errors import InputError
from onboard.imagery import Imagery
from onboard.mbtiles import MBTiles
from tests.maps.small_imagery import texture, write_tif, write_xyz

LEVEL, X0, Y0 = 12, 2000, 1500


def lay(path, inputs, levels, stop_after=None):
    """Builds the mosaic; stop_after: give up after so many tiles, as a kill would."""

    class Stopped(Exception):
        pass

    done = 0

    def progress(count):
        nonlocal done
        done += count
        if stop_after is not None and done >= stop_after:
            raise Stopped

    sources = [s for group in open_imagery(inputs) for s in group]
    with ThreadPoolExecutor(2) as pool:
        mosaic = Mosaic(path, sources, make_plan(sources, levels, None), pool)
        try:
            mosaic.build(progress)
        except Stopped:
            assert stop_after is not None
        finally:
            mosaic.close()
    return mosaic


def test_tiles_are_there_at_every_level_and_none_is_lost_at_a_block_seam(tmp_path):
    picture = texture(256 * 6, 256 * 9)
    folder = write_xyz(tmp_path / "t", picture, LEVEL, X0 + 1, Y0 + 2)
    lay(tmp_path / "m.mbtiles", [folder], (LEVEL - 2, LEVEL))
    read = MBTiles(tmp_path / "m.mbtiles")
    fine = {(X0 + 1 + x, Y0 + 2 + y) for x in range(9) for y in range(6)}
    assert set(read.positions(LEVEL)) == fine
    assert set(read.positions(LEVEL - 2)) == {(x // 4, y // 4) for x, y in fine}
    assert read.levels == (LEVEL - 2, LEVEL)
    out = Imagery(tmp_path / "m.mbtiles").picture(
        LEVEL, (X0 + 1) * 256, (Y0 + 2) * 256, 256 * 9, 256 * 6
    )
    assert out.any(axis=2).all()
    assert np.abs(out.astype(int) - picture).mean() < 3


def test_coarser_levels_are_the_mean_of_the_finer(tmp_path):
    picture = texture(1024, 1024)
    folder = write_xyz(tmp_path / "t", picture, LEVEL, X0, Y0)
    lay(tmp_path / "m.mbtiles", [folder], (LEVEL - 1, LEVEL))
    out = Imagery(tmp_path / "m.mbtiles").picture(LEVEL - 1, X0 * 128, Y0 * 128, 512, 512)
    mean = picture.reshape(512, 2, 512, 2, 3).mean(axis=(1, 3))
    assert np.abs(out - mean).mean() < 3


def test_the_later_input_wins_and_its_holes_show_the_earlier(tmp_path):
    below = np.full((512, 512, 3), (40, 90, 160), np.uint8)
    above = np.full((512, 512, 3), (200, 60, 30), np.uint8)
    above[:, 256:] = 0
    folders = [
        write_xyz(tmp_path / name, p, LEVEL, X0, Y0) for name, p in (("a", below), ("b", above))
    ]
    lay(tmp_path / "m.mbtiles", folders, (LEVEL,))
    out = Imagery(tmp_path / "m.mbtiles").picture(LEVEL, X0 * 256, Y0 * 256, 512, 512)
    assert np.abs(out[:, :256].astype(int) - (200, 60, 30)).max() < 6
    assert np.abs(out[:, 256:].astype(int) - (40, 90, 160)).max() < 6


def test_two_pictures_that_share_an_edge_leave_no_gap(tmp_path):
    whole = texture(600, 800)
    left = write_tif(tmp_path / "l.tif", whole[:, :400])
    right = write_tif(tmp_path / "r.tif", whole[:, 400:], origin=(500_000 + 400 * 0.6, 3_100_000))
    lay(tmp_path / "two.mbtiles", [left, right], (18,))
    lay(tmp_path / "one.mbtiles", [write_tif(tmp_path / "w.tif", whole)], (18,))
    one, two = Imagery(tmp_path / "one.mbtiles"), Imagery(tmp_path / "two.mbtiles")
    assert one.tiles.positions(18) == two.tiles.positions(18)
    for x, y in one.tiles.positions(18):
        a, b = one.picture(18, x * 256, y * 256), two.picture(18, x * 256, y * 256)
        assert np.array_equal(a.any(axis=2), b.any(axis=2))


@pytest.mark.parametrize("stop_after", [1, 17, 40, 70])
def test_a_stopped_mosaic_goes_on_to_the_same_tiles(tmp_path, stop_after):
    folder = write_xyz(tmp_path / "t", texture(256 * 6, 256 * 9), LEVEL, X0, Y0)
    levels = (LEVEL - 1, LEVEL)
    lay(tmp_path / "a.mbtiles", [folder], levels)
    lay(tmp_path / "b.mbtiles", [folder], levels, stop_after)
    assert (
        MBTiles(tmp_path / "b.mbtiles").positions(LEVEL - 1)
        != MBTiles(tmp_path / "a.mbtiles").positions(LEVEL - 1)
        or stop_after == 70
    )
    lay(tmp_path / "b.mbtiles", [folder], levels)
    whole, resumed = MBTiles(tmp_path / "a.mbtiles"), MBTiles(tmp_path / "b.mbtiles")
    for level in levels:
        assert whole.positions(level) == resumed.positions(level)
        for position in whole.positions(level):
            assert whole.tile(level, *position) == resumed.tile(level, *position)


def test_blank_imagery_is_refused(tmp_path):
    folder = write_xyz(tmp_path / "t", np.full((256, 256, 3), 255, np.uint8), LEVEL, X0, Y0)
    with pytest.raises(InputError, match="blank everywhere"):
        lay(tmp_path / "m.mbtiles", [folder], (LEVEL,))
