import json
import re

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.geodesy import latlon_to_pixel, offset_latlon
from onboard.messages import (
    Candidate,
    Estimate,
    Fix,
    FrameResult,
    Match,
    Refusal,
    TileId,
    View,
)
from onboard.pack.map_pack import MapPack
from onboard.reasons import Mode, Reason, Stage
from tests.tools.small_area import LEVEL, SOUTH_WEST
from tools.report import report_page, write_report
from tools.run_record import RunRecord, Tick, keep_frame
from tools.scores import score_frame
from tools.truth import track_of

EVIL = "</script><img src=x onerror=alert(1)>{{style}}\u2028.jpg"
TRUTH = offset_latlon(*SOUTH_WEST, 110.0, 110.0)


def one_run(pack):
    """An accepted frame 3 m off, a refused one with a nasty name, two ticks."""
    x, y = latlon_to_pixel(*TRUTH, LEVEL)
    tile = TileId(LEVEL, int(x) // 128 - 1, int(y) // 128 - 1)
    lat, lon = offset_latlon(*TRUTH, 3.0, 0.0)
    covariance = np.eye(2) * 4.0
    fix = Fix(1_000_000_000, lat, lon, lat, lon, covariance, 9.0, "map", 30)
    match = Match(tile, LEVEL, np.eye(2, 3), 0.9, 0.5, 1.0, 0.0, 30, 40, 1.0, np.eye(2) * 100.0)
    picture = pack.tile_picture(tile)
    view = View(1_000_000_000, picture, picture.any(2), LEVEL, 0.2, 0.2, 0.0, 0.0, 100.0, 5.0)
    candidates = (Candidate(tile, 0.1),)
    results = (
        FrameResult(
            "a.jpg", fix.time_ns, fix, None, None, view, match, candidates, {"locate": 5.0}
        ),
        FrameResult(
            EVIL,
            2_000_000_000,
            None,
            Refusal(2_000_000_000, Stage.GATE, Reason.AMBIGUOUS, "0.97"),
            candidates=candidates,
        ),
    )
    estimate = Estimate(0, *TRUTH, 0.0, 0.0, covariance, None, 0.0, Mode.TRACKING)
    return RunRecord(
        title="flight & co",
        frames=tuple(keep_frame(r, pack) for r in results),
        scores=tuple(score_frame(r, TRUTH, None) for r in results),
        ticks=(Tick(1_000_000_000, estimate), Tick(2_000_000_000, None)),
        truth=track_of([(1_000_000_000, *TRUTH), (2_000_000_000, *TRUTH)]),
        gnss_lost_ns=1_500_000_000,
    )


@pytest.fixture(scope="module")
def pack(small_area):
    return MapPack.open(small_area.pack)


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_shows_the_run(pack):
    data = data_of("".join(report_page(one_run(pack), pack)))
    accepted, refused = data["frames"]
    assert accepted["vehicle_m"] == pytest.approx(3.0, abs=0.01)
    assert accepted["view"]
    assert accepted["map"]
    assert (refused["reason"], refused["stage"], refused["detail"]) == ("ambiguous", "gate", "0.97")
    assert refused["xy"] == data["truth"][1][1:]
    assert data["refusals"] == {"ambiguous": 1}
    assert data["pack"]["map_error"].startswith("3 m (1 sigma per axis), assumed")
    assert [p["mode"] for p in data["track"]] == ["tracking", "lost"]
    assert data["latency"] == [{"stage": "locate", "median": 5.0, "p95": 5.0}]
    summary = dict(data["summary"])
    assert summary["availability of a position"].startswith("50 %")
    assert summary["availability without GNSS"].startswith("0 %")
    width, height = data["overview"]["width"], data["overview"]["height"]
    assert 0 < accepted["xy"][0] < width
    assert 0 < accepted["xy"][1] < height


def test_the_fix_lies_east_of_the_truth_on_the_overview(pack):
    data = data_of("".join(report_page(one_run(pack), pack)))
    east_px = data["frames"][0]["xy"][0] - data["truth"][0][1]
    assert east_px * data["overview"]["m_per_px"] == pytest.approx(3.0, abs=0.2)


def test_names_from_outside_never_become_markup(pack):
    page = "".join(report_page(one_run(pack), pack))
    assert "<img src=x" not in page
    assert page.count("</script>") == 2
    assert data_of(page)["frames"][1]["name"] == EVIL
    assert "<title>flight &amp; co</title>" in page


def test_the_page_needs_no_network(pack):
    page = "".join(report_page(one_run(pack), pack))
    outside = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w/]*", page))
    assert outside <= {"http://www.w3.org/2000/svg"}
    assert "default-src 'none'" in page


def test_the_files_of_a_report(pack, tmp_path):
    path = write_report(tmp_path / "deep" / "out", one_run(pack), pack)
    names = {p.name for p in path.parent.iterdir()}
    assert names == {"report.html", "fixes.csv", "fixes.geojson"}


def test_a_file_in_the_way_is_one_sentence(pack, tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        write_report(tmp_path / "out", one_run(pack), pack)
