import dataclasses

import numpy as np
import pytest
from rendered_ground import BLOCKS, colours_at

from export.points.ply import PointCloud
from export.points.reconstruction import save_reconstruction
from export.points.survey import REACH, Survey, survey_locations
from export.points.survey_cache import cached_locations
from onboard.errors import InputError


@pytest.fixture(scope="module")
def survey(rendered, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reconstruction")
    xyz = rendered.truth.points.xyz
    strip = PointCloud(xyz[np.abs(xyz[:, 1]) < 4.5])  # one row of cells
    save_reconstruction(dataclasses.replace(rendered.truth, points=strip), folder)
    return Survey(folder, rendered.photographs, cell_m=8.0, picture_px=64, most_views=4)


@pytest.fixture(scope="module")
def found(survey):
    return survey_locations(survey)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.astype(float).ravel(), b.astype(float).ravel())[0, 1])


def test_halves_share_no_ground(survey, found):
    west = max(x.east_m for x in found.train) + REACH * survey.cell_m
    east = min(x.east_m for x in found.test) - REACH * survey.cell_m
    assert west <= east
    assert len(found.train) >= 2 and len(found.test) >= 2
    assert found.dropped["on the line between the halves"] > 0


def test_views_and_map_show_the_same_ground_differently(found):
    for location in found.train + found.test:
        assert 2 <= len(location.views) <= 4
        for view in location.views:
            assert not np.array_equal(view, location.map)
    near = [correlation(x.views[0], x.map) for x in found.train]
    far = [correlation(found.test[0].views[0], x.map) for x in found.train]
    assert np.mean(near) > np.mean(far) + 0.2


def test_the_map_is_north_up_and_metric(survey, found):
    location = min(found.test, key=lambda x: abs(x.north_m) + abs(x.east_m - 22))
    across = (np.arange(64) + 0.5 - 32) * survey.cell_m / 64
    x, y = np.meshgrid(location.east_m + across, location.north_m - across)
    ground = x[0] > BLOCKS[1][2] + 0.5
    assert ground.sum() > 20
    truth = colours_at(x, y, 0.0)
    assert correlation(location.map[:, ground], truth[:, ground]) > 0.95


def test_clouds_are_centred_and_scaled(found):
    for location in found.train:
        assert location.cloud.shape == (1024, 3)
        assert np.abs(location.cloud.mean(0)).max() < 1e-5
        assert np.linalg.norm(location.cloud, axis=1).max() == pytest.approx(1.0, abs=1e-5)


def test_the_same_at_every_call(survey, found):
    again = survey_locations(survey)
    assert all(
        np.array_equal(a.views, b.views) for a, b in zip(found.test, again.test, strict=True)
    )
    assert all(
        np.array_equal(a.cloud, b.cloud) for a, b in zip(found.test, again.test, strict=True)
    )


def test_cells_with_too_few_points_are_dropped_and_counted(rendered, survey, found, tmp_path):
    xyz = rendered.truth.points.xyz
    thinned = xyz[(np.abs(xyz[:, 1]) < 4.5) & ((xyz[:, 0] < 20) | (np.arange(len(xyz)) % 3 == 0))]
    save_reconstruction(dataclasses.replace(rendered.truth, points=PointCloud(thinned)), tmp_path)
    fewer = survey_locations(dataclasses.replace(survey, reconstruction=tmp_path))
    assert fewer.dropped["too few points"] > 0 and "too few points" not in found.dropped


def test_a_reconstruction_without_metres_is_refused(rendered, survey, tmp_path):
    save_reconstruction(dataclasses.replace(rendered.truth, origin=None), tmp_path)
    with pytest.raises(InputError, match="--poses"):
        survey_locations(dataclasses.replace(survey, reconstruction=tmp_path))


def test_too_large_cells_are_refused(survey):
    with pytest.raises(InputError, match="make cell_m or fewest_points smaller"):
        survey_locations(dataclasses.replace(survey, cell_m=11.5))


def test_the_cache_is_used_and_a_damaged_one_made_again(survey, found, monkeypatch):
    train, test = cached_locations(survey)
    assert train.features.shape == (len(found.train), 1152)
    assert np.array_equal(test.views, np.concatenate([x.views for x in found.test]))
    path = next(survey.reconstruction.glob("locations-*.npz"))
    whole = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("export.points.survey_cache.survey_locations", None)
        assert np.array_equal(cached_locations(survey)[0].features, train.features)
    path.write_bytes(whole[: len(whole) // 2])
    monkeypatch.setattr("export.points.survey_cache.survey_locations", _called)
    with pytest.raises(_Called):
        cached_locations(survey)


class _Called(Exception):
    pass


def _called(survey):
    raise _Called
