"""A map that can't be read in flight: who is told, how often, and until when."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from onboard.cameras.contract import CameraHealth
from onboard.companion import FrameDone
from onboard.messages import Candidate, FrameResult, HeightUsed, Refusal, TileId
from onboard.outputs.status_text import TEXT_LENGTH
from onboard.reasons import Reason, Stage
from onboard.runtime import health
from onboard.runtime.health import HealthReport
from onboard.runtime.jetson import MachineHealth
from onboard.runtime.map_health import HOLDS_NS, NO_TERRAIN, NO_TILES, MapHealth
from onboard.web.status_board import StatusBoard

SECOND = 1_000_000_000
HOLDS_S = HOLDS_NS // SECOND
FOUND = (Candidate(TileId(17, 4, 6), 0.2),)
DARK = (Reason.TOO_DARK, "")
UNREADABLE = (Reason.MAP_UNREADABLE, "imagery.mbtiles: tile 17/2/3 cannot be read")


def done(seconds: float, refused: tuple[Reason, str], terrain: str = "", found=()) -> FrameDone:
    time_ns = round(seconds * SECOND)
    refusal = Refusal(time_ns, Stage.RETRIEVE, *refused)
    used = HeightUsed(80.0, 4.0, "map terrain", problem=terrain)
    return FrameDone(0, FrameResult("", time_ns, None, refusal, candidates=found, height=used))


def test_a_tile_that_cant_be_read_is_a_problem_until_others_were_read_for_a_while():
    found = MapHealth()
    assert found.state()[:2] == ("", "")
    found.note(done(0, UNREADABLE))
    assert found.state()[:2] == (UNREADABLE[1], NO_TILES)
    found.note(done(HOLDS_S - 1, DARK, found=FOUND))
    found.note(done(HOLDS_S + 5, DARK))  # which read nothing
    assert found.state()[1] == NO_TILES
    found.note(done(HOLDS_S + 6, DARK, found=FOUND))
    assert found.state() == ("", "", "could not be read for 1 frames")


def test_terrain_that_cant_be_read_is_a_problem_until_it_is_read_again():
    found = MapHealth()
    found.note(done(0, DARK, "terrain.mbtiles: 12/3/4 is damaged"))
    found.note(done(1, DARK))
    assert found.state()[:2] == ("terrain.mbtiles: 12/3/4 is damaged", NO_TERRAIN)
    found.note(done(HOLDS_S, DARK))
    assert found.state()[:2] == ("", "")


def test_the_pilot_reads_of_it_once_and_of_its_end(monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(health.time, "monotonic", lambda: now[0])
    sent, board, found = [], StatusBoard(), MapHealth()
    status = SimpleNamespace(
        is_connected=True, is_synced=False, counts=SimpleNamespace(received=1, sent=1, dropped=0)
    )
    report = HealthReport(
        SimpleNamespace(health=CameraHealth),
        SimpleNamespace(send=sent.append),
        SimpleNamespace(status=status),
        SimpleNamespace(missed=0, take_latest_ns=lambda: 0),
        found,
        None,
        board,
        read_machine=lambda: MachineHealth("", None, "", "", ""),
    )
    for second in range(200):
        now[0] += 1.0
        is_bad = second in (0, 2, 30, 32)
        found.note(done(second, UNREADABLE if is_bad else DARK, found=() if is_bad else FOUND))
        said = report.report()
        assert ("map: imagery.mbtiles" in said) == (second < 12 or 30 <= second < 42)
    assert [m.text for m in sent] == [NO_TILES, "Pilotage: map is read again"]
    assert len(NO_TERRAIN) <= TEXT_LENGTH and len(NO_TILES) <= TEXT_LENGTH
