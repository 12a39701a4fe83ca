"""What a folder is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from maps.sources.open_imagery import open_imagery
from maps.sources.raster_source import RasterSource
from onboard.errors import InputError
from tests.maps.small_imagery import texture, write_tif, write_xyz


def test_a_folder_of_geotiffs_is_one_input_with_its_files_by_name(tmp_path: Path) -> None:
    for name in ("b.TIFF", "a.tif"):
        write_tif(tmp_path / name, texture(64, 64))
    for name in ("readme.md", "b.tif.ovr", "._a.tif"):
        (tmp_path / name).touch()
    (sources,) = open_imagery([tmp_path])
    assert [s.files for s in sources] == [(tmp_path / "a.tif",), (tmp_path / "b.TIFF",)]
    assert all(isinstance(s, RasterSource) for s in sources)


@pytest.mark.parametrize("numbered", ["2020", "18", "2020/01", "18/01"])
def test_a_numbered_folder_beside_geotiffs_does_not_make_tiles_of_them(
    tmp_path: Path, numbered: str
) -> None:
    (tmp_path / numbered).mkdir(parents=True)
    write_tif(tmp_path / numbered / "1.tif", texture(64, 64))
    write_tif(tmp_path / "a.tif", texture(64, 64))
    (tmp_path / "2020" / "12").mkdir(parents=True, exist_ok=True)
    (tmp_path / "2020" / "12" / "0001.jpg").touch()  # a photograph
    ((source,),) = open_imagery([tmp_path])
    assert source.files == (tmp_path / "a.tif",)


@pytest.mark.parametrize("of", ["zooms", "zoom"])
def test_tiles_with_a_geotiff_beside_them_are_tiles(tmp_path: Path, of: str) -> None:
    zooms = write_xyz(tmp_path / "tiles", texture(512, 512), 15, 0, 0)
    folder = zooms if of == "zooms" else zooms / "15"
    write_tif(folder / "whole.tif", texture(64, 64))
    ((source,),) = open_imagery([folder])
    assert not isinstance(source, RasterSource)


def test_a_folder_of_neither_is_refused_with_what_it_may_hold(tmp_path: Path) -> None:
    (tmp_path / "photograph.jpg").touch()
    with pytest.raises(InputError, match="GeoTIFFs"):
        open_imagery([tmp_path])
