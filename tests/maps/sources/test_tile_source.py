import shutil

import cv2
import numpy as np
import pytest

from maps.sources.source import WORLD_M
from maps.sources.tile_source import open_mbtiles, open_xyz
from onboard.errors import InputError
from tests.maps.small_imagery import texture, write_mbtiles, write_xyz

LEVEL, X0, Y0 = 12, 2000, 1500


@pytest.fixture
def folder(tmp_path):
    return write_xyz(tmp_path / "tiles", texture(512, 768), LEVEL, X0, Y0)


def test_its_own_level_comes_out_pixel_for_pixel(folder):
    source = open_xyz(folder)
    out = source.read(LEVEL, X0 * 256 - 10, Y0 * 256 - 20, 800, 600)
    assert np.array_equal(out[20:532, 10:778], texture(512, 768))
    assert not out[:20].any() and not out[:, :10].any() and not out[532:].any()
    assert source.native_level == LEVEL


def test_the_zoom_folder_and_its_parent_are_the_same(folder):
    parent, zoom = open_xyz(folder), open_xyz(folder / str(LEVEL))
    assert parent.bounds_m == zoom.bounds_m and parent.native_level == zoom.native_level


def test_coarser_is_the_area_mean_and_finer_is_enlarged(folder):
    source = open_xyz(folder)
    whole = texture(512, 768)
    half = source.read(LEVEL - 1, X0 * 128, Y0 * 128, 384, 256)
    expected = cv2.resize(whole, (384, 256), interpolation=cv2.INTER_AREA)
    assert np.abs(half.astype(int) - expected).max() <= 1
    twice = source.read(LEVEL + 1, X0 * 512 + 100, Y0 * 512 + 60, 300, 200)
    expected = cv2.resize(whole, (1536, 1024), interpolation=cv2.INTER_LINEAR)[60:260, 100:400]
    assert np.abs(twice.astype(int) - expected).mean() < 1.5


def test_tiles_of_512_px_are_a_level_finer(tmp_path):
    folder = write_xyz(tmp_path / "t", texture(1024, 512), LEVEL, X0, Y0, px=512)
    source = open_xyz(folder)
    assert source.native_level == LEVEL + 1
    out = source.read(LEVEL + 1, X0 * 512, Y0 * 512, 512, 1024)
    assert np.array_equal(out, texture(1024, 512))


def test_the_nearest_sufficient_zoom_is_read(folder):
    coarse = np.full((256, 256, 3), 99, np.uint8)
    write_xyz(folder, coarse, LEVEL - 3, X0 // 8, Y0 // 8)
    source = open_xyz(folder)
    assert (source.read(LEVEL - 3, X0 * 32, Y0 * 32, 8, 8) == 99).all()
    assert (source.read(LEVEL - 2, X0 * 64, Y0 * 64, 8, 8) != 99).any()


def test_a_missing_tile_is_a_hole_and_a_damaged_one_an_error(folder):
    (folder / str(LEVEL) / str(X0) / f"{Y0}.png").unlink()
    out = open_xyz(folder).read(LEVEL, X0 * 256, Y0 * 256, 512, 256)
    assert not out[:, :256].any() and out[:, 256:].any(axis=2).all()
    (folder / str(LEVEL) / str(X0 + 1) / f"{Y0}.png").write_bytes(b"\x89PNG cut")
    with pytest.raises(InputError, match=f"{LEVEL}/{X0 + 1}/{Y0}"):
        open_xyz(folder).read(LEVEL, X0 * 256, Y0 * 256, 512, 256)


def test_a_tile_of_another_size_is_named(folder):
    cv2.imwrite(str(folder / str(LEVEL) / str(X0 + 2) / f"{Y0}.png"), texture(128, 128))
    with pytest.raises(InputError, match="128x128 px"):
        open_xyz(folder).read(LEVEL, X0 * 256, Y0 * 256, 768, 256)


def test_folders_without_tiles_say_what_is_expected(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="z/x/y"):
        open_xyz(tmp_path / "empty")
    shutil.copytree(folder / str(LEVEL), tmp_path / "unnamed")
    with pytest.raises(InputError, match="rename"):
        open_xyz(tmp_path / "unnamed")


@pytest.mark.parametrize("place", ["12/4096/0", "12/0/4096", "1200/1/1"])
def test_a_tile_that_its_zoom_does_not_have_is_refused(folder, place):
    path = (folder / place).with_suffix(".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(next(folder.glob("*/*/*.png")), path)
    with pytest.raises(InputError, match=f"outside zoom {place.partition('/')[0]}"):
        open_xyz(folder)


def test_names_that_only_look_like_numbers_are_left_out(folder):
    (folder / "\u00b2" / "1").mkdir(parents=True)  # the 2 of a square metre
    (folder / "\u00b2" / "1" / "1.jpg").write_bytes(b"x")
    assert open_xyz(folder).native_level == LEVEL


def test_mbtiles_are_read_alike(tmp_path, folder):
    path = write_mbtiles(tmp_path / "a.mbtiles", texture(512, 768), LEVEL, X0, Y0)
    xyz, mbtiles = open_xyz(folder), open_mbtiles(path)
    assert mbtiles.bounds_m == pytest.approx(xyz.bounds_m)
    out = mbtiles.read(LEVEL, X0 * 256, Y0 * 256, 768, 512)
    assert np.abs(out.astype(int) - texture(512, 768)).mean() < 3  # JPEG


def test_the_mark_tells_of_a_change_here_and_of_none_elsewhere(folder):
    def mark(x: int) -> str:
        side_m = WORLD_M / 2**LEVEL
        west, north = x * side_m - WORLD_M / 2, WORLD_M / 2 - Y0 * side_m
        return open_xyz(folder).mark(LEVEL, (west, north - 2 * side_m, west + side_m, north))

    here, there = mark(X0), mark(X0 + 2)
    cv2.imwrite(str(folder / str(LEVEL) / str(X0) / f"{Y0}.png"), texture(256, 256, seed=8))
    (folder / str(LEVEL) / str(X0 + 3)).mkdir()  # the folder grows
    cv2.imwrite(str(folder / str(LEVEL) / str(X0 + 3) / f"{Y0}.png"), texture(256, 256))
    assert mark(X0) != here and mark(X0 + 2) == there
    column = folder / str(LEVEL) / str(X0 + 2)
    (column / f"{Y0}.png").rename(column / f"{Y0 + 5}.png")
    assert mark(X0 + 2) != there
