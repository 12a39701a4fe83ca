import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onboard.errors import InputError
from onboard.telemetry_messages import Gnss, Height
from tools.logs.open_log import is_log, open_log
from tools.logs.pose_table import read_pose_table

HEADER = "frame_count,start_seconds,timestamp,latitude,longitude,rel_alt,abs_alt\n"
DATED = "2024-06-19 11:01:31.198"


def table(count: int = 20) -> str:
    rows = (f"{3 * i},{i / 10},{DATED},47.2,{8.5 + i * 1e-5:.6f},100,520\n" for i in range(count))
    return HEADER + "".join(rows)


def read(tmp_path, text):
    path = tmp_path / "flight.csv"
    path.write_text(text)
    return read_pose_table(path)


def test_a_table_in_the_navigators_units(tmp_path):
    log = read(tmp_path, table())
    heights = [e for e in log.events if isinstance(e, Height)]
    fixes = [e for e in log.events if isinstance(e, Gnss)]
    assert len(heights) == len(fixes) == 20
    assert (heights[0].agl_m, heights[0].amsl_m) == (100.0, 520.0)
    assert (fixes[19].time_ns, fixes[19].lon_deg) == (1_900_000_000, 8.50019)
    assert log.utc_minus_clock_ns == 1_718_794_891_198_000_000
    assert not log.has_attitude
    assert is_log(tmp_path / "flight.csv") and open_log(tmp_path / "flight.csv") == log


def test_zero_zero_in_the_middle_is_no_position(tmp_path):
    zeros = "".join(f"{i},{2 + i / 10},{DATED},0.0,0.000,100,520\n" for i in range(5))
    log = read(tmp_path, table() + zeros + f"99,2.5,{DATED},47.2,8.6,100,520\n")
    fixes = [e for e in log.events if isinstance(e, Gnss)]
    assert [e.has_fix for e in fixes] == [True] * 20 + [False] * 5 + [True]
    assert len(log.track.time_ns) == 21


def test_rows_that_cannot_be_read_are_counted(tmp_path):
    log = read(tmp_path, table(3) + "9,x,,47,8,1,2\n9,0.4\n9,-1,,47,8,1,2\n9,nan,,47,8,1,2\n")
    assert sum(isinstance(e, Height) for e in log.events) == 3
    assert "4 damaged messages left out" in " ".join(log.notes)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "column 'start_seconds' is missing"),
        (HEADER, "holds no attitude"),
        (HEADER + "1,nan,x,y,z,u,v\n", "holds no attitude"),
    ],
)
def test_other_tables_are_refused(tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        read(tmp_path, text)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(table(5))))
def test_a_truncated_file_gives_what_it_has(tmp_path, cut):
    try:
        log = read(tmp_path, table(5)[:cut])
    except InputError:
        return
    assert 1 <= sum(isinstance(e, Height) for e in log.events) <= 5
