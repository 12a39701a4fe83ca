"""The size cap and the disk's rest: the oldest recordings go first, ours alone."""

from collections import namedtuple

import pytest

from onboard.errors import InputError
from onboard.recording import folder as recording_folder
from onboard.recording.folder import make_room, next_path, recordings

Usage = namedtuple("Usage", "total used free")
MB = 1_000_000


@pytest.fixture
def roomy(monkeypatch):
    monkeypatch.setattr(recording_folder.shutil, "disk_usage", lambda _: Usage(0, 0, 10**12))


def fill(folder, *sizes):
    paths = []
    for size in sizes:
        path = next_path(folder, 0.0)
        path.write_bytes(b"\0" * size)
        paths.append(path)
    return paths


def test_numbers_go_on_whatever_the_clock_says(tmp_path):
    first = next_path(tmp_path / "new", 2_000_000_000.0)
    first.touch()
    second = next_path(tmp_path / "new", 0.0)  # no battery: 1970 again
    assert first.name.startswith("flight_000001_2033")
    assert second.name.startswith("flight_000002_1970")
    second.touch()
    assert recordings(tmp_path / "new") == [first, second]


def test_the_oldest_go_first(tmp_path, roomy):
    old, middle, current = fill(tmp_path, MB, MB, MB)
    assert make_room(tmp_path, current, 2.5 * MB) == ""
    assert not old.exists()
    assert middle.exists() and current.exists()


def test_nothing_but_our_recordings_is_touched(tmp_path, roomy):
    other = tmp_path / "holiday.mcap"
    other.write_bytes(b"\0" * 5 * MB)
    old, current = fill(tmp_path, MB, MB)
    assert make_room(tmp_path, current, 1.5 * MB) == ""
    assert other.exists()
    assert not old.exists()


def test_the_current_one_stays(tmp_path, roomy):
    (current,) = fill(tmp_path, 3 * MB)
    problem = make_room(tmp_path, current, 2 * MB)
    assert "max_gb" in problem
    assert current.exists()


def test_a_full_disk_takes_as_many_old_ones_as_it_needs(tmp_path, monkeypatch):
    old, middle, current = fill(tmp_path, 2 * MB, MB, MB)
    free = recording_folder.MIN_FREE_BYTES - MB
    monkeypatch.setattr(recording_folder.shutil, "disk_usage", lambda _: Usage(0, 0, free))
    assert make_room(tmp_path, current, 1000 * MB) == ""
    assert not old.exists()
    assert middle.exists() and current.exists()


def test_old_ones_that_make_no_room_are_not_lost_in_vain(tmp_path, monkeypatch):
    old, current = fill(tmp_path, MB, MB)
    monkeypatch.setattr(recording_folder.shutil, "disk_usage", lambda _: Usage(0, 0, MB))
    problem = make_room(tmp_path, current, 1000 * MB)
    assert "less than 512 MB are free" in problem
    assert old.exists() and current.exists()


def test_the_cap_takes_no_old_ones_in_vain(tmp_path, roomy):
    old, current = fill(tmp_path, MB, 3 * MB)
    assert "max_gb" in make_room(tmp_path, current, 2 * MB)
    assert old.exists() and current.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        next_path(tmp_path / "file")
