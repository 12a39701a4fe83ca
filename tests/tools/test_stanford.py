import json
import math
import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.cli import main
from tools.stanford import Bounded, integrity, stanford_svg

SVG = "{http://www.w3.org/2000/svg}"
metres = st.floats(0.0, 1e9) | st.just(math.inf) | st.just(math.nan)


def test_what_lies_beyond_its_bound_is_misleading():
    counted = integrity([Bounded(3.0, 10.0), Bounded(10.0, 10.0), Bounded(11.0, 10.0)])
    assert (counted.positions, counted.misleading) == (3, 1)
    assert Bounded(math.nan, 10.0).misleading and Bounded(1.0, math.nan).misleading


@pytest.mark.parametrize(
    ("misleading", "positions", "at_most"),
    [(0, 3000, 2.996 / 3000), (1, 10_000, 4.744 / 10_000), (0, 0, 1.0)],
)
def test_the_confidence_bound_is_poissons(misleading, positions, at_most):
    points = [Bounded(2.0, 1.0)] * misleading + [Bounded(1.0, 2.0)] * (positions - misleading)
    assert integrity(points).at_most == pytest.approx(at_most, rel=1e-3)


@given(st.lists(st.builds(Bounded, metres, metres), max_size=30))
def test_every_misleading_position_is_drawn_whatever_its_figures(points):
    drawn = ElementTree.fromstring(stanford_svg(points, "flight <1> & 2"))
    assert len(drawn.findall(f"{SVG}circle")) == integrity(points).misleading
    shown = sum(int(r.find(f"{SVG}title").text) for r in drawn.findall(f"{SVG}rect[{SVG}title]"))
    assert shown == len(points) - integrity(points).misleading


def test_a_misleading_position_lies_below_the_diagonal():
    points = [Bounded(50.0, 5.0), Bounded(1.0, 900.0)]
    (circle,) = ElementTree.fromstring(stanford_svg(points, "")).findall(f"{SVG}circle")
    right, up = float(circle.get("cx")) - 70, 50 + 560 - float(circle.get("cy"))
    assert 0 < up < right


def test_runs_are_counted_together(tmp_path, capsys):
    evaluated, studied = tmp_path / "evaluated", tmp_path / "studied"
    evaluated.mkdir(), studied.mkdir()
    (evaluated / "results.json").write_text(json.dumps({"error_protection_m": [[1, 5], [9, 5]]}))
    case = {"number": 0, "rows": [{"error_m": 2.0, "protection_m": 8.0}, {"refused": "blurred"}]}
    text = "{}\n" + json.dumps(case) + "\n" + '{"number": 1, "ro'
    (studied / "frames.jsonl").write_text(text)
    out = tmp_path / "all.svg"
    assert main(["stanford", str(evaluated), str(studied), "--out", str(out)]) == 0
    assert "all: 1 of 3 misleading" in capsys.readouterr().out
    assert ElementTree.parse(out).getroot().tag == f"{SVG}svg"


@pytest.mark.parametrize("text", ["", "[]", '{"error_protection_m": [[1]]}', '{"a": 1}'])
def test_a_damaged_run_is_named(tmp_path, capsys, text):
    (tmp_path / "results.json").write_text(text)
    assert main(["stanford", str(tmp_path), "--out", str(tmp_path / "s.svg")]) == 2
    assert "results.json: damaged" in capsys.readouterr().err
    assert not (tmp_path / "s.svg").exists()


def test_a_folder_without_runs_is_refused(tmp_path, capsys):
    assert main(["stanford", str(tmp_path)]) == 2
    assert "holds no results.json" in capsys.readouterr().err
