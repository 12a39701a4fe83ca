import json
from pathlib import Path

import pytest

from maps.sources.odm import dem_of, is_odm
from maps.sources.open_imagery import open_imagery
from maps.terrain import DemSaid, open_dems
from onboard.errors import InputError
from tests.maps.small_imagery import texture, write_tif


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "field"
    (folder / "odm_orthophoto").mkdir(parents=True)
    (folder / "odm_dem").mkdir()
    (folder / "odm_report").mkdir()
    write_tif(folder / "odm_orthophoto/odm_orthophoto.tif", texture(200, 300))
    return folder


def say(project, stats: object) -> None:
    (project / "odm_report/stats.json").write_text(json.dumps(stats))


def test_its_orthophoto_is_the_imagery_and_its_flight_the_date(project):
    say(project, {"processing_statistics": {"start_date": "27/02/2021 at 09:12:33"}})
    ((source,),) = open_imagery([project])
    assert is_odm(project)
    assert (source.name, source.date) == ("field", "2021-02-27")
    assert source.files == (project / "odm_orthophoto/odm_orthophoto.tif",)


@pytest.mark.parametrize(
    "stats",
    [
        {},
        [],
        {"processing_statistics": None},
        {"processing_statistics": {"start_date": 5}},
        {"processing_statistics": {"date": "27/02/2021 at 09:12:33"}},  # of the computer's work
    ],
)
def test_a_report_without_the_day_of_flight_dates_nothing(project, stats):
    say(project, stats)
    assert open_imagery([project])[0][0].date is None


def test_the_terrain_model_comes_before_the_surface_model(project):
    assert dem_of(project) is None
    (project / "odm_dem/dsm.tif").touch()
    assert dem_of(project) == project / "odm_dem/dsm.tif"
    (project / "odm_dem/dtm.tif").touch()
    assert dem_of(project) == project / "odm_dem/dtm.tif"


def test_a_run_that_did_not_end_is_named(project):
    (project / "odm_orthophoto/odm_orthophoto.tif").unlink()
    with pytest.raises(InputError, match=r"without odm_orthophoto/odm_orthophoto\.tif"):
        open_imagery([project])


def test_an_address_is_told_how_a_service_is_given(tmp_path):

    with pytest.raises(InputError, match=r"https://tiles\.example\.org: a tile service is given"):
        open_imagery([Path("https://tiles.example.org/{z}/{x}/{y}.png?key=secret")])


def test_its_folder_stands_for_its_terrain_model_too(project):
    heights = texture(200, 200)[:, :, :1].astype("float32")
    for name in ("dsm", "dtm"):
        write_tif(project / f"odm_dem/{name}.tif", heights)
    said = DemSaid(datums=("egm96",), sigmas_m=(1.0,))
    assert open_dems([project], said).files == (project / "odm_dem/dtm.tif",)
