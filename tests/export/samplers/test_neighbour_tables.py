import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from export.samplers.exclusive import Samples
from export.samplers.gps import nearest_by_gps, nearest_by_metres
from export.samplers.similarity import nearest_by_similarity
from tests.export.samplers.lone_samples import one_to_one


def haversine(lat_a, lon_a, lat_b, lon_b):
    lat_a, lon_a, lat_b, lon_b = map(math.radians, (lat_a, lon_a, lat_b, lon_b))
    across = math.cos(lat_a) * math.cos(lat_b) * math.sin((lon_b - lon_a) / 2) ** 2
    return 2 * math.asin(math.sqrt(min(1.0, math.sin((lat_b - lat_a) / 2) ** 2 + across)))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-89, 89), st.floats(-180, 180)), min_size=2, max_size=30, unique=True
    ),
    st.integers(1, 12),
)
def test_gps_order_is_haversines(positions, count):
    lat, lon = np.array(positions).T
    table = nearest_by_gps(one_to_one(np.arange(len(lat))), lat, lon, count)
    assert table.shape == (len(lat), count)
    for i, row in enumerate(table):
        found = row[row >= 0].tolist()
        assert len(found) == min(count, len(lat) - 1) and i not in found
        away = [haversine(lat[i], lon[i], lat[j], lon[j]) for j in range(len(lat)) if j != i]
        got = [haversine(lat[i], lon[i], lat[j], lon[j]) for j in found]
        assert got == pytest.approx(sorted(away)[: len(found)], abs=1e-7)


def test_neighbours_a_metre_apart_are_told_apart():
    lat = np.array([47.0, 47.00002, 47.00001, 47.00003])
    table = nearest_by_gps(one_to_one(np.arange(4)), lat, np.full(4, 8.0), 3)
    assert table[0].tolist() == [2, 1, 3]


def test_the_date_line_is_no_border():
    table = nearest_by_gps(
        one_to_one(np.arange(3)), np.zeros(3), np.array([179.999, -179.999, 179.9]), 1
    )
    assert table[0, 0] == 1


def test_positives_are_no_neighbours():
    lat, lon = np.arange(6) * 1e-4, np.zeros(6)
    samples = Samples(np.array([0, 3]), (frozenset({0, 1}), frozenset({2, 4})))
    assert nearest_by_gps(samples, lat, lon, 4).tolist() == [[2, 3, 4, 5], [5, 1, 0, -1]]


def test_metres_in_the_plane_are_told_apart_at_utm_northings():
    east = 693_000 + np.array([0.0, 3.0, 1.0, 0.5])
    north = 6_090_000 + np.array([0.0, 0.0, 1.0, 4.0])
    table = nearest_by_metres(one_to_one(np.arange(4)), east, north, 3)
    assert table[0].tolist() == [2, 1, 3]


def test_positions_must_be_there():
    samples = one_to_one(np.array([0, 2]))
    with pytest.raises(ValueError, match="without a position"):
        nearest_by_metres(samples, np.array([1.0, np.inf, 2.0]), np.zeros(3))
    with pytest.raises(ValueError, match="without a position"):
        nearest_by_gps(samples, np.array([1.0, np.nan, 2.0]), np.zeros(3))
    with pytest.raises(ValueError, match="outside the list of 2"):
        nearest_by_gps(samples, np.zeros(2), np.zeros(2))


def test_similarity_equals_a_full_sort():
    torch.manual_seed(0)
    references = F.normalize(torch.randn(90, 8), dim=1)
    queries = F.normalize(torch.randn(700, 8), dim=1)
    places = np.arange(700) % 90
    positives = tuple(frozenset({int(p), int(p + 1) % 90, int(p + 7) % 90}) for p in places)
    table = nearest_by_similarity(Samples(places, positives), queries, references, 12)
    for i in range(0, 700, 37):
        order = (queries[i] @ references.T).argsort(descending=True).tolist()
        expected = [r for r in order if r not in positives[i]][:12]
        assert table[i].tolist() == expected


def test_few_references_leave_the_rest_empty():
    references = torch.eye(3)
    table = nearest_by_similarity(one_to_one(np.arange(3)), references, references, 5)
    assert table.shape == (3, 5) and set(table[0].tolist()) == {1, 2, -1}


def test_descriptors_must_be_numbers():
    references = torch.eye(3)
    with pytest.raises(ValueError, match="not a number"):
        nearest_by_similarity(one_to_one(np.arange(3)), references * float("nan"), references)
