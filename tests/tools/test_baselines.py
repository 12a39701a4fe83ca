"""The baselines on a view of the very map they search: they must find it, or say why not."""

import cv2
import numpy as np
import pytest

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, offset_latlon
from onboard.messages import Prior, View
from onboard.pack.map_pack import MapPack
from tests.tools.small_area import LEVEL, SOUTH_WEST
from tools.baseline_features import MapFeatures, sift_features
from tools.baselines import default_xfeat_weights, make_baselines

CENTRE = offset_latlon(*SOUTH_WEST, 105.0, 120.0)
PRIOR = Prior(*offset_latlon(*CENTRE, 10.0, -8.0), 15.0)


@pytest.fixture(scope="module")
def pack(small_area):
    return MapPack.open(small_area.pack)


def seen(pack, turn_deg=0.0, nadir_m=(0.0, 0.0)):
    """A darker, turned view of the map around CENTRE."""
    x, y = latlon_to_pixel(*CENTRE, LEVEL)
    picture = pack.picture(LEVEL, int(x) - 192, int(y) - 192, 384, 384)
    turn = cv2.getRotationMatrix2D((192.0, 192.0), turn_deg, 1.0)
    picture = cv2.warpAffine(picture, turn, (384, 384))[64:320, 64:320]
    picture = np.maximum(picture * 0.7, 1).astype(np.uint8)
    return View(0, picture, np.ones((256, 256), bool), LEVEL, 0.2, 0.2, *nadir_m, 100.0, 5.0)


def locate(pack, name, view, prior=PRIOR, vehicle=None):
    baselines, _ = make_baselines([name.split("+")[0]], pack, None)
    baseline = next(b for b in baselines if b.name == name)
    return baseline.locate(view, prior, pack, "a.jpg", vehicle, CENTRE)


@pytest.mark.parametrize("name", ["sift", "sift+gates"])
@pytest.mark.parametrize("prior", [PRIOR, None])
def test_sift_finds_the_view_to_a_pixel(pack, name, prior):
    vehicle = offset_latlon(*CENTRE, 5.0, 7.0)
    score = locate(pack, name, seen(pack, 4.0, (5.0, 7.0)), prior, vehicle)
    assert score.accepted
    assert score.centre_m is not None
    assert score.centre_m < 0.4
    assert score.vehicle_m is not None
    assert score.vehicle_m < 0.4


def test_the_gates_refuse_a_view_that_is_turned_too_far(pack):
    view = seen(pack, 60.0)
    assert locate(pack, "sift", view).accepted
    assert not locate(pack, "sift+gates", view).accepted


@pytest.mark.parametrize("name", ["sift", "sift+gates"])
def test_a_view_of_nothing_is_refused(pack, name):
    view = seen(pack)
    flat = View(0, np.full_like(view.picture, 90), view.mask, LEVEL, 0.2, 0.2, 0, 0, 100.0, 5.0)
    score = locate(pack, name, flat)
    assert (score.accepted, score.reason) == (False, "too_few_inliers")


def test_a_prior_elsewhere_finds_nothing(pack):
    far = Prior(*offset_latlon(*CENTRE, 5000.0, 0.0), 15.0)
    assert not locate(pack, "sift+gates", seen(pack), far).accepted


def test_map_features_do_not_depend_on_the_blocks(pack):
    x, y = (float(v) for v in latlon_to_pixel(*CENTRE, LEVEL))
    features = MapFeatures(pack, sift_features).within(LEVEL, x - 200, y - 200, x + 200, y + 200)
    whole = sift_features(pack.picture(LEVEL, int(x) - 300, int(y) - 300, 600, 600))
    whole = whole.shifted(int(x) - 300, int(y) - 300)
    inside = np.all(np.abs(whole.xy - (x, y)) < 190, axis=1)
    distance = np.linalg.norm(whole.xy[inside][:, None] - features.xy[None], axis=2).min(axis=1)
    assert np.mean(distance < 0.5) > 0.95


def test_xfeat_finds_the_view_where_its_weights_are(pack):
    if default_xfeat_weights() is None:
        pytest.skip("XFeat's ONNX file is not in ../shared/weights/xfeat_onnx: put it there")
    score = locate(pack, "xfeat", seen(pack, 4.0))
    assert score.accepted
    assert score.centre_m is not None
    assert score.centre_m < 1.0


def test_names_and_weights_that_are_wrong(pack, tmp_path):
    with pytest.raises(InputError, match="'surf' is not known"):
        make_baselines(["surf"], pack, None)
    with pytest.raises(InputError, match="no such file"):
        make_baselines(["xfeat"], pack, tmp_path / "x.onnx")
    (tmp_path / "x.onnx").write_bytes(b"no network")
    with pytest.raises(InputError, match="not an ONNX network"):
        make_baselines(["xfeat"], pack, tmp_path / "x.onnx")
