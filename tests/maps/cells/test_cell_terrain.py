"""Terrain in the cells and in the pack made of them."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from maps.build import BuildRequest, build_pack
from maps.terrain import DemSaid
from onboard.describe import Describer
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from tests.maps.small_imagery import LEVEL, UTM, texture, write_tif
from tests.maps.test_build import OVER_A_CELL_BORDER, same_files

SAID = DemSaid(datums=("egm96",), sigmas_m=(2.0,))


def write_dem(path, height_m, west_m=495_000.0, cols=700):
    """Heights that rise by 0.1 m a metre to the east, 20 m posts."""
    rise = height_m + 0.1 * 20 * np.arange(cols, dtype=np.float32)
    profile = {"driver": "GTiff", "width": cols, "height": 700, "count": 1, "dtype": "float32"}
    place = {"crs": UTM, "transform": from_origin(west_m, 3_107_000.0, 20.0, 20.0)}
    with rasterio.open(path, "w", **profile, **place) as file:
        file.write(np.tile(rise, (700, 1))[None])
    return path


@pytest.fixture(scope="module")
def bundle():
    return load_bundle()


@pytest.fixture
def folder(tmp_path):
    write_tif(tmp_path / "a.tif", texture(300, 1500), origin=OVER_A_CELL_BORDER)
    return tmp_path


def build(bundle, folder, out, **options):
    options = {"levels": (LEVEL,), "name": "a", "dem_said": SAID, "replace": True, **options}
    return build_pack(BuildRequest((folder / "a.tif",), folder / out, **options), bundle)


def test_the_pack_has_the_ground_s_heights_over_all_its_cells(folder, bundle):
    dem = write_dem(folder / "dem.tif", 1000.0)
    build(bundle, folder, "a.pack", dems=(dem,))
    pack = MapPack.open(folder / "a.pack")
    said = pack.manifest.terrain
    assert said is not None and said.level == 13 and said.sigma_m >= 2.0
    lat, lon = pack.centre
    to_utm = rasterio.warp.transform("EPSG:4326", UTM, [lon], [lat])
    expected = 1000.0 + 0.1 * (to_utm[0][0] - 10.0 - 495_000.0)
    assert pack.terrain.height_m(lat, lon) == pytest.approx(expected, abs=0.3)
    south, west, north, east = pack.bounds
    corners = pack.terrain.heights_m(np.array([south, north]), np.array([west, east]))
    assert np.isfinite(corners).all()


def test_another_elevation_model_is_laid_and_nothing_described(folder, bundle, monkeypatch):
    store = str(folder / "s")
    build(bundle, folder, "a.pack", store=store)
    assert MapPack.open(folder / "a.pack").terrain is None

    class Never(Describer):
        def descriptors(self, pictures):
            raise AssertionError("was described again")

    with monkeypatch.context() as patch:
        patch.setattr("maps.cells.recipe.Describer", Never)
        for height_m in (1000.0, 1500.0):
            dem = write_dem(folder / "dem.tif", height_m)
            done = build(bundle, folder, "a.pack", store=store, dems=(dem,))
            assert done.cells_done == 2 and done.described == 0
    pack = MapPack.open(folder / "a.pack")
    assert pack.terrain.height_m(*pack.centre) > 1500.0
    build(bundle, folder, "b.pack", dems=(dem,))
    assert same_files(folder / "a.pack", folder / "b.pack")


def test_models_in_another_order_are_read_as_the_words_for_them_go(folder, bundle):
    """A cell that only one of them touches has the same file and the same words."""
    dem, far = (write_dem(folder / n, 1000.0, w) for n, w in (("d.tif", 495e3), ("f.tif", 700e3)))
    said = DemSaid(datums=("ellipsoid",), offsets_m=(0.0, 40.0), sigmas_m=(2.0,))
    heights_m = []
    for dems in ((dem, far), (far, dem)):
        build(bundle, folder, "a.pack", store=str(folder / "s"), dems=dems, dem_said=said)
        pack = MapPack.open(folder / "a.pack")
        heights_m.append(pack.terrain.height_m(*pack.centre))
    assert heights_m[0] - heights_m[1] == pytest.approx(40.0, abs=0.2)


def test_another_word_on_the_licence_lays_nothing_again(folder, bundle):
    dem = write_dem(folder / "dem.tif", 1000.0)
    store = str(folder / "s")
    build(bundle, folder, "a.pack", store=store, dems=(dem,))
    said = DemSaid(datums=("egm96",), sigmas_m=(2.0,), licences=("CC-BY-4.0",))
    done = build(bundle, folder, "a.pack", store=store, dems=(dem,), dem_said=said)
    assert done.cells_done == 0
    assert MapPack.open(folder / "a.pack").manifest.terrain.licence == "CC-BY-4.0"


def test_a_model_of_another_place_leaves_terrain_out_with_a_word(folder, bundle, capsys):
    dem = write_dem(folder / "dem.tif", 1000.0, west_m=700_000.0, cols=50)
    build(bundle, folder, "a.pack", dems=(dem,))
    assert "terrain left out: no height is known in the area" in capsys.readouterr().err
    assert MapPack.open(folder / "a.pack").terrain is None
