import numpy as np
import pytest

from maps.localizability.ground_cover import ground_cover
from onboard.messages import TILE_PX
from tests.maps.localizability.patchwork import quarters
from tests.maps.small_imagery import texture


@pytest.fixture(scope="module")
def cut():
    return {name: picture[100:356, 100:356] for name, picture in quarters().items()}


def test_town_lake_and_fields_are_told_apart(cut):
    town, lake, fields = (ground_cover(cut[n]) for n in ("town", "lake", "fields"))
    assert lake.water > 0.95 and town.water < 0.2 and fields.water < 0.05
    assert lake.plain > 0.9 and fields.plain > 0.9 and town.plain < 0.3
    assert town.structure > lake.structure + 0.5


def test_what_is_not_there_counts_for_nothing(cut):
    picture = cut["town"].copy()
    picture[:, 64:] = 0
    cover = ground_cover(picture)
    assert cover.covered == pytest.approx(0.25)
    whole = ground_cover(cut["town"])
    assert abs(cover.structure - whole.structure) < 0.6  # the hole's rim adds none
    nothing = ground_cover(np.zeros((TILE_PX, TILE_PX, 3), np.uint8))
    assert (nothing.covered, nothing.plain) == (0.0, 1.0)


def test_a_seam_is_seen_and_a_road_is_not():
    picture = texture(TILE_PX, TILE_PX).astype(np.int16)
    assert ground_cover(picture.astype(np.uint8)).seam_levels == 0.0
    stepped = picture.copy()
    stepped[:, 100:] -= 25
    assert ground_cover(np.clip(stepped, 1, 255).astype(np.uint8)).seam_levels > 15
    road = picture.copy()
    road[40:160, 100:] -= 25  # ends within the picture
    assert ground_cover(np.clip(road, 1, 255).astype(np.uint8)).seam_levels == 0.0


def test_dark_green_grain_is_forest():
    rng = np.random.default_rng(0)
    leaves = np.array([45.0, 75.0, 50.0]) + rng.normal(0, 14, (TILE_PX, TILE_PX, 1))
    assert ground_cover(np.clip(leaves, 1, 255).astype(np.uint8)).forest > 0.9
