"""A start that hashes for minutes is not ended by systemd; one that was ended goes on."""

import json
import logging
import socket
import time

import pytest

from onboard.errors import InputError
from onboard.pack import pack_hashes
from onboard.pack.found_pack import find_pack
from onboard.runtime import hashing_progress
from onboard.runtime.checked_pack import STAMP_NAME, open_checked_pack
from onboard.runtime.hashing_progress import HashingProgress
from tests.onboard.hand_made_pack import square_table, write_pack

STAMP = (1, 2, 3, 4, 5)


@pytest.fixture
def clock(monkeypatch):
    """[seconds]"""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """Gives what was told since it was asked last."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        def told():
            messages = []
            while True:
                try:
                    messages.append(listening.recv(4096).decode())
                except BlockingIOError:
                    return messages

        yield told


def test_systemd_is_asked_to_wait_every_second_and_for_the_rest_at_the_end(clock, manager, caplog):
    caplog.set_level(logging.INFO)
    kept = []
    progress = HashingProgress(12_000_000_000, {"a": STAMP}, {}, kept.append)
    told = []
    for _ in range(48):
        clock[0] += 0.25
        progress.read(250_000_000)
        told += manager()
    assert told == [
        f"EXTEND_TIMEOUT_USEC=30000000\nSTATUS=hashing the map: {gb}.0 of 12.0 GB"
        for gb in range(1, 13)
    ]
    assert caplog.messages == ["hashing the map: 10.0 of 12.0 GB"]
    progress.end()
    assert manager() == ["EXTEND_TIMEOUT_USEC=120000000"]
    assert len(kept) == len(told) + 1


def test_what_is_hashed_within_a_second_asks_for_nothing(clock, manager):
    progress = HashingProgress(1, {}, {}, lambda good: None)
    progress.read(1)
    progress.end()
    assert not manager()


def test_only_what_lay_there_at_first_is_kept(clock):
    kept = []
    progress = HashingProgress(1, {"a": STAMP, "b": STAMP, "c": STAMP}, {"c": STAMP}, kept.append)
    progress.good("a", STAMP)
    progress.good("b", (1, 2, 3, 4, 6))
    progress.end()
    assert kept == [{"a": STAMP, "c": STAMP}]


class Killed(Exception):
    pass


@pytest.fixture
def one_by_one(monkeypatch):
    """The names of the files that were hashed. Every step is kept."""
    monkeypatch.setattr(pack_hashes, "HASH_THREADS", 1)
    monkeypatch.setattr(hashing_progress, "EVERY_S", 0.0)
    names, check = [], pack_hashes.check_file

    def named(pack, expected, watch):
        names.append(expected.path)
        return check(pack, expected, watch)

    monkeypatch.setattr(pack_hashes, "check_file", named)
    return names


def start(pack, stamps):
    return open_checked_pack(find_pack(pack, None), None, stamps)


def test_a_start_that_was_killed_goes_on(tmp_path, one_by_one, monkeypatch):
    pack = write_pack(tmp_path / "area.pack", [square_table(4)])
    files = [file.path for file in find_pack(pack, None).manifest.files]
    read, last = HashingProgress.read, (pack / files[-1]).stat().st_size

    def killed_at_the_last(progress, size_bytes):
        read(progress, size_bytes)
        if one_by_one[-1] == files[-1]:
            raise Killed

    assert len(files) > 2 and last
    monkeypatch.setattr(HashingProgress, "read", killed_at_the_last)
    with pytest.raises(Killed):
        start(pack, tmp_path)
    assert one_by_one == files
    monkeypatch.setattr(HashingProgress, "read", read)
    start(pack, tmp_path)
    assert one_by_one == [*files, files[-1]]
    start(pack, tmp_path)
    assert one_by_one == [*files, files[-1]]
    (pack / files[0]).touch()
    start(pack, tmp_path)
    assert one_by_one == [*files, files[-1], files[0]]


def test_a_bad_file_is_not_kept_and_the_good_ones_are(tmp_path, one_by_one):
    pack = write_pack(tmp_path / "area.pack", [square_table(4)])
    files = [file.path for file in find_pack(pack, None).manifest.files]
    data = (pack / files[-1]).read_bytes()
    (pack / files[-1]).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(InputError, match="sha256"):
            start(pack, tmp_path)
    assert one_by_one == [*files, files[-1]]
    assert set(json.loads((tmp_path / STAMP_NAME).read_text())["files"]) == set(files[:-1])
