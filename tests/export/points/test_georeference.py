import dataclasses

import numpy as np
import pytest

from export.points.georeference import georeference, ground_plane
from export.points.ply import PointCloud
from export.points.reconstruction import Reconstruction
from onboard.errors import InputError
from onboard.geodesy import offset_latlon


def turned(truth: Reconstruction, seed: int) -> Reconstruction:
    """As structure from motion would give it: any rotation, scale and place."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    scale, shift = float(np.exp(rng.normal())), rng.normal(size=3) * 10
    cameras = tuple(
        dataclasses.replace(
            c,
            rotation=tuple(map(tuple, (np.array(c.rotation) @ turn.T).tolist())),
            position_m=tuple((scale * turn @ np.array(c.position_m) + shift).tolist()),
        )
        for c in truth.cameras
    )
    points = PointCloud(scale * truth.points.xyz @ turn.T + shift)
    return dataclasses.replace(truth, cameras=cameras, points=points, origin=None)


def geotags_of(truth: Reconstruction) -> dict[str, tuple[float, float]]:
    return {c.file: offset_latlon(47.0, 8.0, *c.position_m[:2]) for c in truth.cameras}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_rotation_scale_and_place_is_undone(rendered, seed):
    tags = geotags_of(rendered.truth)
    found, agreement = georeference(turned(rendered.truth, seed), tags)
    lat, lon = np.median(list(tags.values()), 0)
    assert (found.origin.lat_deg, found.origin.lon_deg) == (lat, lon)
    at, true = (np.array([c.position_m for c in r.cameras]) for r in (found, rendered.truth))
    assert np.allclose(at - at.mean(0), true - true.mean(0), atol=0.02)
    assert agreement.scatter_m < 0.01
    assert abs(np.median(found.points.xyz[:, 2])) < 0.02
    assert np.allclose(found.cameras[0].rotation, rendered.truth.cameras[0].rotation, atol=1e-3)


def test_two_wild_geotags_of_nine_hardly_pull(rendered):
    tags = geotags_of(rendered.truth)
    tags["03.png"] = (tags["03.png"][0] + 0.01, tags["03.png"][1])
    tags["06.png"] = (tags["06.png"][0], tags["06.png"][1] - 0.01)
    found, agreement = georeference(turned(rendered.truth, 1), tags)
    at, true = (np.array([c.position_m for c in r.cameras]) for r in (found, rendered.truth))
    assert np.allclose(at - at.mean(0), true - true.mean(0), atol=0.5)
    assert agreement.scatter_m < 0.5


def test_geotags_of_another_flight_are_refused(rendered):
    rng = np.random.default_rng(5)
    tags = {c.file: tuple((47, 8) + rng.normal(size=2) * 1e-3) for c in rendered.truth.cameras}
    with pytest.raises(InputError, match="correct the positions"):
        georeference(turned(rendered.truth, 1), tags)


def test_too_few_geotags_are_refused(rendered):
    tags = dict(list(geotags_of(rendered.truth).items())[:4])
    with pytest.raises(InputError, match="4 of the placed photographs"):
        georeference(rendered.truth, tags)


def test_the_ground_is_found_under_blocks_and_strays(rendered):
    truth = rendered.truth
    strays = np.random.default_rng(1).uniform(-30, 30, (2000, 3))
    points = PointCloud(np.concatenate((truth.points.xyz, strays)))
    normal, offset = ground_plane(dataclasses.replace(truth, points=points))
    assert normal[2] > 0.9999 and abs(offset) < 0.05
