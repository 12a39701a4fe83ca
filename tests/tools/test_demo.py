from pathlib import Path

import pytest

from tools import demo, procedural_area
from tools.cli import main


@pytest.fixture
def small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(procedural_area, "SIZE_M", 500.0)
    monkeypatch.setattr(procedural_area, "GSD_M", 0.6)
    monkeypatch.setattr(demo, "ROUTE_M", ((150.0, 150.0), (350.0, 200.0), (200.0, 350.0)))


def test_flight_ends_in_positions_on_mavlink_and_a_report(
    small_world: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--seconds", "10"]) == 0
    said = capsys.readouterr().out
    assert "GPS_INPUT received" in said and "(10.0 Hz)" in said
    assert "HEARTBEAT received" in said and "from 1/197" in said
    for name in ("report.html", "fixes.csv", "fixes.geojson", "procedural.pack/manifest.json"):
        assert (tmp_path / "out" / name).stat().st_size > 100
    rows = (tmp_path / "out" / "fixes.csv").read_text().splitlines()
    assert len(rows) == 1 + 9  # a frame a second, the first after a second


@pytest.mark.parametrize("seconds", ["0", "nan", "1e9"])
def test_impossible_length_is_one_sentence(
    seconds: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--out", str(tmp_path / "out"), "--seconds", seconds]) == 2
    assert "--seconds" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_in_the_way_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("mine")
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "out" in error
    assert (tmp_path / "out").read_text() == "mine"
