"""Builds killed with kill -9 at random moments. Few by default; as many as PILOTAGE_KILLS says:

PILOTAGE_KILLS=20 python -m pytest tests/maps/cells/test_kills.py
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from maps.cells.store import CellStore
from tests.maps.small_imagery import LEVEL, texture, write_tif
from tests.maps.test_build import OVER_A_CELL_BORDER, same_files

KILLS = int(os.environ.get("PILOTAGE_KILLS", "2"))


def command(folder, out, store):
    words = ["map", "build", str(folder / "a.tif"), "--out", str(out), "--name", "a", "--force"]
    words += ["--levels", f"{LEVEL - 1}-{LEVEL}"] + (["--store", str(store)] if store else [])
    return [sys.executable, "-m", "tools.cli", *words]


def run(folder, out, store):
    subprocess.run(command(folder, out, store), capture_output=True, check=True, timeout=300)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(the imagery and the pack of a build left alone, how long it takes)."""
    folder = tmp_path_factory.mktemp("kills")
    side = 700 if KILLS <= 2 else 1700
    write_tif(folder / "a.tif", texture(side, side), origin=OVER_A_CELL_BORDER)
    begin = time.monotonic()
    run(folder, folder / "whole.pack", None)
    return folder, time.monotonic() - begin


@pytest.mark.parametrize("number", range(KILLS))
def test_a_build_killed_at_any_moment_goes_on_to_the_same_bytes(whole, tmp_path, number):
    folder, seconds = whole
    store = tmp_path / "store" if number % 2 else None
    out = tmp_path / "k.pack"
    moment = (number + random.Random(number).random()) / KILLS * seconds
    process = subprocess.Popen(command(folder, out, store), stderr=subprocess.DEVNULL)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    run(folder, out, store)
    assert same_files(folder / "whole.pack", out)
    assert {p.name for p in tmp_path.iterdir()} - {"store"} == {"k.pack"}
    if store is not None:
        assert CellStore(str(store)).header().finished
        assert not list((store / "scratch").glob("*")) and not list(store.rglob("*.partial"))
