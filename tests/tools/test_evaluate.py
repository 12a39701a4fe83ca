import csv
import json

import pytest

from onboard.errors import InputError
from onboard.geodesy import offset_latlon
from tests.tools.small_area import SOUTH_WEST
from tools.cli import main
from tools.evaluate import parse_seeds
from tools.photo_camera import MOUNTING_GUESSED


def evaluate(small_area, flight, out, *more):
    camera = flight.parent / "cam.toml"
    arguments = ["--map", str(small_area.pack), "--camera", str(camera), "--out", str(out)]
    return main(["evaluate", str(flight), *arguments, *more])


def write_reference(flight, count, east_m=0.0):
    """The true centres: straight below, here moved east to see that they are what counts."""
    lines = ["file,centre_lat_deg,centre_lon_deg"]
    for i in range(count):
        along = 70.0 + 15.0 * i / 2**0.5
        lat, lon = offset_latlon(*SOUTH_WEST, along + east_m, along)
        lines.append(f"DJI_{i:04d}.jpg,{lat:.9f},{lon:.9f}")
    (flight / "reference.csv").write_text("\n".join(lines) + "\n")


def fixes(path):
    with path.open(newline="") as file:
        return [{**row, "latency_ms": ""} for row in csv.DictReader(file)]


def test_frames_are_scored_against_the_reference_beside_the_baselines(small_area, tmp_path, capsys):
    flight = small_area.write_flight(tmp_path / "flight", count=3)
    write_reference(flight, 3, east_m=20.0)
    out = tmp_path / "out"
    options = ("--prior-sigma-m", "20", "--seed", "3", "--baseline", "sift")
    assert evaluate(small_area, flight, out, *options) == 0
    results = json.loads((out / "results.json").read_text())
    methods = {m["name"]: m for m in results["methods"]}
    assert list(methods) == ["pilotage", "sift", "sift+gates"]
    own = methods["pilotage"]
    assert own["frames"] == 3
    assert own["accepted"] >= 1
    # All are right, so they are 20 m from a reference that is 20 m wrong, and near the record.
    assert own["centre"]["median"] == pytest.approx(20.0, abs=1.5)
    assert own["vehicle"]["median"] < 1.5
    assert own["near"] == 0
    assert methods["sift"]["centre"]["median"] == pytest.approx(20.0, abs=1.5)
    said = capsys.readouterr().out
    assert "within 10 m" in said
    assert "peak resident memory" in said
    assert {p.name for p in out.iterdir()} == {
        *("fixes.csv", "fixes.geojson", "results.json", "report.html", "stanford.svg")
    }


@pytest.mark.parametrize("command", ["evaluate", "replay"])
def test_a_guessed_mounting_stands_beside_the_figures(small_area, tmp_path, capsys, command):
    flight = small_area.write_flight(tmp_path / "flight", count=2)
    out, option = tmp_path / "out", {"evaluate": "--out", "replay": "--report"}[command]
    run = [command, str(flight), "--map", str(small_area.pack), option, str(out)]
    assert main(run) == 0
    said = capsys.readouterr().out
    assert MOUNTING_GUESSED in said.partition("accepted")[2]
    assert MOUNTING_GUESSED in (out / "report.html").read_text()
    assert main([*run, "--camera", str(tmp_path / "cam.toml")]) == 0
    assert MOUNTING_GUESSED not in capsys.readouterr().out + (out / "report.html").read_text()


def test_a_seed_gives_the_same_priors_whatever_else_runs(small_area, tmp_path):
    flight = small_area.write_flight(tmp_path / "flight", count=2)
    assert evaluate(small_area, flight, tmp_path / "one", "--seed", "2") == 0
    assert evaluate(small_area, flight, tmp_path / "two", "--seeds", "1-2") == 0
    assert fixes(tmp_path / "one" / "fixes.csv") == fixes(tmp_path / "two" / "fixes_seed_2.csv")
    pooled = json.loads((tmp_path / "two" / "results.json").read_text())["methods"][0]
    assert pooled["frames"] == 4


def test_without_a_position_there_is_no_prior_but_the_whole_pack(small_area, tmp_path):
    flight = small_area.write_flight(tmp_path / "flight", count=2, position=(0.0, 0.0))
    assert evaluate(small_area, flight, tmp_path / "prior") == 0
    assert {row["reason"] for row in fixes(tmp_path / "prior" / "fixes.csv")} == {"no_candidate"}
    assert evaluate(small_area, flight, tmp_path / "free", "--no-prior") == 0
    searched = {row["reason"] for row in fixes(tmp_path / "free" / "fixes.csv")}
    assert "no_candidate" not in searched


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--seeds", "one"), "--seeds 'one': give whole numbers"),
        (("--baseline", "orb"), "'orb' is not known"),
        (("--poses", "none.csv"), "cannot be read"),
        (("--model", "none"), "no shipped model and no folder of this name"),
        (("--backend", "tensorrt"), "no GPU can be used"),
    ],
)
def test_bad_options_are_one_sentence(small_area, tmp_path, capsys, more, says):
    flight = small_area.write_flight(tmp_path / "flight", count=1)
    assert evaluate(small_area, flight, tmp_path / "out", *more) == 2
    said = capsys.readouterr().err.strip()
    assert says in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "out" / "fixes.csv").exists()


def test_seeds():
    assert parse_seeds("1") == [1]
    assert parse_seeds("1-3,7") == [1, 2, 3, 7]
    for wrong in ("", "a", "3-1", "1,1", "1-2000", "1-999999999999", "5000000000"):
        with pytest.raises(InputError, match="--seeds"):
            parse_seeds(wrong)
