import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onboard import retrieve as retrieve_module
from onboard.geodesy import distance_m, offset_latlon, pixel_size_m, pixel_to_latlon
from onboard.messages import TILE_PX, Prior
from onboard.pack.map_pack import MapPack
from onboard.pack.tile_index import unit_length
from onboard.retrieve import PRIOR_WEIGHT, WINDOW_SIGMAS, retrieve, tiles_near
from tests.onboard.hand_made_pack import LEVEL, clustered, square_table, write_pack


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> MapPack:
    return MapPack.open(write_pack(tmp_path_factory.mktemp("r") / "a.pack", [square_table(40)]))


def position_of(pack: MapPack, i: int) -> tuple[float, float]:
    lat, lon = pixel_to_latlon(*pack.tiles(LEVEL).tile_id(i).centre_px, LEVEL)
    return float(lat), float(lon)


def near_of(pack: MapPack, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Positions in the whole table, and log-probabilities."""
    tiles, log_prior = tiles_near(pack.index, pack.index.of_level(LEVEL), prior)
    table = pack.tiles(LEVEL)
    at = {(c, r): i for i, (c, r) in enumerate(zip(table.cols, table.rows, strict=True))}
    return np.array([at[t] for t in zip(tiles.col, tiles.row, strict=True)], int), log_prior


@settings(deadline=None, max_examples=40)
@given(
    i=st.integers(0, 1599),
    sigma_m=st.floats(1, 400),
    east_m=st.floats(-300, 300),
    north_m=st.floats(-300, 300),
)
def test_window_holds_exactly_the_tiles_within_reach(pack, i, sigma_m, east_m, north_m):
    lat, lon = offset_latlon(*position_of(pack, i), east_m, north_m)
    table = pack.tiles(LEVEL)
    near, log_prior = near_of(pack, Prior(lat, lon, sigma_m))
    size = pixel_size_m(lat, LEVEL)
    reach = WINDOW_SIGMAS * sigma_m + math.hypot(*size) * TILE_PX / 2
    distances = np.array([distance_m(lat, lon, *position_of(pack, j)) for j in range(len(table))])
    # The flat approximation of the window is good to a few centimetres in a kilometre.
    assert set(np.flatnonzero(distances < reach * 0.999)) <= set(near)
    assert set(near) <= set(np.flatnonzero(distances < reach * 1.001))
    assert (log_prior <= 0).all()
    order = np.argsort(distances[near], kind="stable")
    assert (np.diff(log_prior[order]) <= 1e-3 + 1e-3 * np.abs(log_prior[order][1:])).all()


def test_with_a_prior_candidates_are_ordered_by_fused_score(pack):
    i = 20 * 40 + 20
    query = pack.tiles(LEVEL).descriptors[i]
    found = retrieve(pack, LEVEL, query, 12, Prior(*position_of(pack, i), 80.0))
    assert found[0].tile == pack.tiles(LEVEL).tile_id(i)
    assert len(found) == 12
    scores = [1.0 - c.distance + PRIOR_WEIGHT * c.log_prior for c in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[3] == pytest.approx(1 - found[3].distance + PRIOR_WEIGHT * found[3].log_prior)


def test_a_prior_elsewhere_excludes_the_best_descriptor(pack):
    query = pack.tiles(LEVEL).descriptors[5 * 40 + 5]
    found = retrieve(pack, LEVEL, query, 5, Prior(*position_of(pack, 35 * 40 + 35), 10.0))
    assert found and pack.tiles(LEVEL).tile_id(5 * 40 + 5) not in {c.tile for c in found}


def test_a_prior_far_from_the_map_gives_nothing(pack):
    query = pack.tiles(LEVEL).descriptors[0]
    assert retrieve(pack, LEVEL, query, 5, Prior(10.0, 10.0, 50.0)) == ()


def test_without_a_prior_search_is_exact_in_a_small_pack(pack):
    table = pack.tiles(LEVEL)
    query = clustered(1, seed=9)[0]
    found = retrieve(pack, LEVEL, query, 10)
    expected = np.argsort(-(table.descriptors @ query), kind="stable")[:10]
    assert [c.tile for c in found] == [table.tile_id(int(i)) for i in expected]
    assert all(c.log_prior == 0 for c in found)


def test_a_large_window_by_codes_finds_what_all_descriptors_find(pack, monkeypatch):
    prior = Prior(*position_of(pack, 820), 700.0)
    for i in range(0, 1600, 97):
        query = unit_length(pack.tiles(LEVEL).descriptors[[i]] + clustered(1, seed=i) / 4)[0]
        monkeypatch.setattr(retrieve_module, "DIRECT_TILES", 2000)
        direct = retrieve(pack, LEVEL, query, 10, prior)
        monkeypatch.setattr(retrieve_module, "DIRECT_TILES", 10)
        assert retrieve(pack, LEVEL, query, 10, prior) == direct


def test_a_descriptor_that_is_not_finite_has_no_candidates(pack):
    query = np.full(16, np.nan, np.float32)
    assert retrieve(pack, LEVEL, query, 5) == ()
    assert retrieve(pack, LEVEL, query, 5, Prior(*position_of(pack, 0), 50.0)) == ()


def test_k_beyond_the_window_gives_the_window(pack):
    prior = Prior(*position_of(pack, 820), 1.0)
    near, _ = near_of(pack, prior)
    found = retrieve(pack, LEVEL, pack.tiles(LEVEL).descriptors[820], 500, prior)
    assert len(found) == len(near) < 500
