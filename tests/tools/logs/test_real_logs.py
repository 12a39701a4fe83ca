"""The recorded logs beside the project; absent, these tests are skipped and say so."""

import os
from pathlib import Path

import pytest

from onboard.errors import InputError
from onboard.telemetry_messages import Attitude, Gnss, Height
from tools.logs.dataflash import read_dataflash
from tools.logs.dji_srt import read_srt
from tools.logs.px4_ulog import read_ulog
from tools.logs.tlog import read_tlog

DATA = Path(os.environ.get("PILOTAGE_DATA", Path(__file__).parents[4] / "shared/data"))
LOGS = DATA / "logs"
pytestmark = pytest.mark.skipif(
    not LOGS.is_dir(), reason="no recorded logs: set PILOTAGE_DATA to their folder"
)


def counts(log):
    kinds = (Attitude, Gnss, Height)
    return tuple(sum(isinstance(e, kind) for e in log.events) for kind in kinds)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("00000-2021-12-02_13-34-15.bin", (341, 172, 32)),
        ("00061-2021-11-21_18-03-38.bin", (298, 147, 293)),
        ("2021-12-08_15-42-00.bin", (279, 140, 206)),
        ("pymavlink_test.BIN", (24, 5, 23)),
    ],
)
def test_ardupilot_logs(name, expected):
    log = read_dataflash(LOGS / "ardupilot_bin" / name)
    assert counts(log) == expected
    assert [e.time_ns for e in log.events] == sorted(e.time_ns for e in log.events)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sample_log_small.ulg", (1298, 32, 636)), ("sample_px4_events.ulg", (622, 583, 308))],
)
def test_px4_logs(name, expected):
    assert counts(read_ulog(LOGS / "px4_ulg" / name)) == expected


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.7, 0.99])
def test_a_truncated_px4_log_is_shorter_or_refused(tmp_path, share):
    whole = (LOGS / "px4_ulg" / "sample_log_small.ulg").read_bytes()
    path = tmp_path / "cut.ulg"
    path.write_bytes(whole[: int(share * len(whole))])
    try:
        log = read_ulog(path)
    except InputError as e:
        assert "cut.ulg" in str(e)
        assert share < 0.2
    else:
        assert 0 < counts(log)[0] <= 1298


def test_a_wrong_suffix_is_named():
    with pytest.raises(InputError, match="not a PX4 log"):
        read_ulog(LOGS / "ardupilot_bin" / "pymavlink_test.BIN")


def test_a_dji_recording():
    log = read_srt(DATA / "ariel" / "telemetry" / "DJI_v14.SRT")
    assert counts(log) == (0, 3431, 3431)
    assert len(log.track.time_ns) == 3431


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2021-12-08-14-59-44.tlog", (1292, 648, 646)),
        ("20211202-132614.tlog", (478, 478, 477)),
        ("20211208-151342.tlog", (467, 467, 467)),
    ],
)
def test_mavlink_logs(name, expected):
    assert counts(read_tlog(LOGS / "ardupilot_tlog" / name)) == expected
