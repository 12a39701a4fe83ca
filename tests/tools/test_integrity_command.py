"""The study itself, over a small real pack: counted, resumed, refused."""

import itertools
import json

import pytest

from onboard.describe import Describer
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from tools import integrity_flights
from tools.cli import main
from tools.integrity_grounds import open_ground


def study(small_area, out, *more):
    base = ["integrity", "--map", str(small_area.pack), "--out", str(out)]
    return main([*base, *more])


def test_a_study_counts_its_fixes_and_goes_on_where_it_was_killed(small_area, tmp_path, capsys):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert study(small_area, whole, "--frames", "4") == 0
    figures = json.loads((whole / "integrity.json").read_text())
    assert figures["map_sigma_m"] == figures["map_error_m"] == 3.0
    for name in ("with prior", "without prior"):
        found = figures[name]
        assert found["frames"] == 4 == found["fixes"] + sum(found["refused"].values())
        assert found["misleading"] == 0
    assert figures["with prior"]["fixes"] >= 1
    assert "<svg" in (whole / "stanford_frames.svg").read_text()
    assert study(small_area, killed, "--frames", "2") == 0
    cases = killed / "frames.jsonl"
    cases.write_text(cases.read_text() + '{"number": 2, "ro')
    assert study(small_area, killed, "--frames", "4") == 0
    lines = [(folder / "frames.jsonl").read_text().split("\n") for folder in (whole, killed)]
    assert sorted(lines[0]) == sorted(lines[1])
    capsys.readouterr()
    assert study(small_area, killed, "--frames", "4", "--seed", "2") == 2
    assert "cases of another study" in capsys.readouterr().err


def test_a_flight_claims_at_every_moment(small_area, monkeypatch):
    monkeypatch.setattr(integrity_flights, "SECONDS", 30.0)
    bundle = load_bundle()
    pack = MapPack.open(small_area.pack, bundle)
    describer = Describer(bundle)
    rows = integrity_flights.fly_one(0, 1, open_ground("pack", pack), pack, describer, 3.0)
    times = [row["time_s"] for row in rows]
    assert times[0] == integrity_flights.GNSS_S and times[-1] >= 28.0
    step_s = integrity_flights.CLAIM_S
    assert all(b - a == pytest.approx(step_s) for a, b in itertools.pairwise(times))
    known = [row for row in rows if row["mode"] != "lost" and row["protection_m"] is not None]
    assert all(row["protection_m"] > row["sigma_m"] for row in known)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--frames", "0"), "give some --frames or --flights"),
        (("--frames", "-1"), "give --frames and --flights"),
        (("--jobs", "0"), "--jobs 1 to"),
        (("--imagery", "/nowhere.tif"), "no such file"),
    ],
)
def test_what_cannot_be_studied_is_said_in_a_sentence(small_area, tmp_path, capsys, options, said):
    assert study(small_area, tmp_path, *options) == 2
    assert said in capsys.readouterr().err


def test_a_map_is_needed(tmp_path, capsys):
    assert main(["integrity", "--map", str(tmp_path), "--out", str(tmp_path / "o")]) == 2
    assert "manifest.json" in capsys.readouterr().err
    assert main(["integrity"]) == 2
