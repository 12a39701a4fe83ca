import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.errors import InputError
from tools.truth import read_reference, track_of


def test_between_two_samples_and_outside():
    track = track_of([(2_000, 20.0, 2.0), (1_000, 10.0, 1.0)])
    assert track.at(1_500) == pytest.approx((15.0, 1.5))
    assert track.at(1_000) == (10.0, 1.0)
    assert track.at(999) is None
    assert track.at(2_001) is None
    assert track_of([]).at(0) is None


def test_nanoseconds_since_1970_do_not_lose_their_last_digits():
    start = 1_730_282_715_000_000_001
    track = track_of([(start, 0.0, 0.0), (start + 100, 1.0, 1.0)])
    assert track.at(start + 50) == pytest.approx((0.5, 0.5))


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(-80, 80), st.floats(-170, 170))))
def test_every_sample_is_met_and_the_first_of_a_time_counts(samples):
    track = track_of(samples)
    seen = set()
    for time, lat, lon in samples:
        if time not in seen:
            assert track.at(time) == pytest.approx((lat, lon))
        seen.add(time)


def test_a_reference_is_read_by_photograph(tmp_path):
    assert read_reference(tmp_path) == {}
    path = tmp_path / "reference.csv"
    path.write_text("file,centre_lat_deg,centre_lon_deg\nDJI_1.JPG,1.5,2.5\n")
    assert read_reference(tmp_path) == {"dji_1": (1.5, 2.5)}
    path.write_text("file,centre_lat_deg,centre_lon_deg\nDJI_1.JPG,1.5,east\n")
    with pytest.raises(InputError, match="line 2"):
        read_reference(tmp_path)
    path.write_text("file,centre_lat_deg\nDJI_1.JPG,1.5\n")
    with pytest.raises(InputError, match="centre_lon_deg"):
        read_reference(tmp_path)
