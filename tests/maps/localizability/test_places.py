from hypothesis import given
from hypothesis import strategies as st

from maps.localizability.places import Place, near, place_at, sampled


@given(st.floats(-80, 80), st.floats(-179, 179), st.integers(10, 20))
def test_a_position_lies_in_its_place(lat, lon, level):
    south, west, north, east = place_at(lat, lon, level).bounds
    assert south - 1e-9 <= lat <= north + 1e-9 and west - 1e-9 <= lon <= east + 1e-9


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 500))
def test_a_sample_is_spread_and_never_too_large(rows, cols, most):
    places = [Place(r, c, 18) for r in range(100, 100 + rows) for c in range(50, 50 + cols)]
    chosen = sampled(places, most)
    assert 1 <= len(chosen) <= most and set(chosen) <= set(places)
    assert len(chosen) == len(places) or len(chosen) >= min(most, len(places)) / 4
    assert chosen == sampled(places, most)


def test_a_sample_of_a_square_reaches_its_ends():
    places = [Place(r, c, 18) for r in range(40) for c in range(40)]
    chosen = sampled(places, 100)
    assert max(p.row for p in chosen) >= 35 and max(p.col for p in chosen) >= 35


def test_near_takes_what_lies_around():
    places = [Place(r, c, 18) for r in range(9) for c in range(9)]
    assert len(near(places, {Place(4, 4, 18)}, 1)) == 9
    assert len(near(places, {Place(0, 0, 18)}, 2)) == 9
