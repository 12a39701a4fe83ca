"""Re-ranking, locating and the patches, on ground out of noise with the shipped network."""

from __future__ import annotations

import numpy as np
import pytest

from onboard.describe import Describer
from onboard.locate import locate
from onboard.messages import TILE_PX, Match, Refusal
from onboard.model_bundle import load_bundle
from onboard.patches import fit_patches
from onboard.reasons import Reason
from onboard.rerank import rerank
from onboard.tile_descriptions import TileDescriptions
from tests.onboard.ground import Ground, candidates, texture, view_of

EVERYWHERE = candidates(*((c, r) for r in range(7) for c in range(7)))


@pytest.fixture(scope="module")
def describer() -> Describer:
    return Describer(load_bundle(), threads=1)


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground(texture(1))


def find(describer, ground, view, tiles=EVERYWHERE):
    (described,) = describer.describe(view.picture[None])
    cut = TileDescriptions(ground, describer)
    ranked = rerank(described, tiles, cut, describer.network)
    return ranked, locate(view, described, ranked, cut, describer.network)


@pytest.mark.parametrize(
    ("x", "y", "scale", "turn"),
    [
        (512, 512, 1.0, 0.0),
        (401.3, 633.8, 1.0, 0.0),
        (450, 560, 1.06, 0.08),
        (600, 380, 0.93, -0.1),
    ],
)
def test_finds_the_place_the_scale_and_the_rotation(describer, ground, x, y, scale, turn):
    ranked, match = find(describer, ground, view_of(texture(1), x, y, scale, turn))
    assert isinstance(match, Match)
    centre = match.view_to_map @ (TILE_PX / 2, TILE_PX / 2, 1.0)
    assert np.hypot(*(centre - (x, y))) < 2.0
    assert match.scale == pytest.approx(scale, abs=0.02)
    assert match.rotation == pytest.approx(turn, abs=0.02)
    assert match.runner_up < 0.33
    assert ranked[0].score == max(r.score for r in ranked)
    nearest = ranked[0].candidate.tile.centre_px
    assert max(abs(nearest[0] - x), abs(nearest[1] - y)) <= 128


def test_a_repeated_place_is_a_runner_up(describer):
    """Two equal places on other ground: nothing in the picture tells which it is."""
    picture = texture(2)
    picture[600:900, 600:900] = picture[100:400, 100:400]
    view = view_of(picture, 250, 250)
    view.picture[:40], view.picture[-40:] = 0, 0
    view.picture[:, :40], view.picture[:, -40:] = 0, 0
    view.mask[:] = view.picture.max(2) > 0
    _, match = find(describer, Ground(picture), view)
    assert isinstance(match, Match)
    assert match.runner_up > 0.33


def test_a_strange_view_gets_few_inliers(describer, ground):
    right = find(describer, ground, view_of(texture(1), 512, 512))[1]
    strange = find(describer, ground, view_of(texture(99), 512, 512))[1]
    if isinstance(strange, Refusal):
        assert strange.reason is Reason.TOO_FEW_INLIERS
    else:
        assert strange.inliers < 0.25 * strange.checked < right.inliers


def test_no_ground_is_refused(describer, ground):
    view = view_of(texture(1), 512, 512)
    view.mask[:] = False
    _, refusal = find(describer, ground, view)
    assert isinstance(refusal, Refusal) and refusal.reason is Reason.TOO_FEW_INLIERS


def test_no_candidates_no_ranking(describer, ground):
    (described,) = describer.describe(view_of(texture(1), 512, 512).picture[None])
    assert rerank(described, [], TileDescriptions(ground, describer), describer.network) == ()


def test_same_pictures_same_fit(describer):
    view = view_of(texture(3), 512, 512)
    crop = view_of(texture(3), 515, 509)
    a, b = describer.describe(np.stack([view.picture, crop.picture]))
    fits = [fit_patches(describer.network, a, view.mask, b) for _ in range(2)]
    assert fits[0] is not None and fits[1] is not None
    assert np.array_equal(fits[0].transform, fits[1].transform)
    assert np.array_equal(fits[0].covariance_px2, fits[1].covariance_px2)
    assert np.allclose(fits[0].transform[:, 2], (-3, 3), atol=0.7)
