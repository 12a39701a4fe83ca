import csv
import json

import numpy as np

from onboard.messages import Fix, FrameResult, Refusal
from onboard.reasons import Reason, Stage
from tools.fixes_csv import COLUMNS, write_fixes_csv, write_fixes_geojson

FIX = Fix(5, 24.123456789, 120.5, 24.1, 120.6, np.array([[4.0, 1.0], [1.0, 9.0]]), 12.5, "map", 40)
RESULTS = (
    FrameResult('a, "b".jpg', 5, FIX, None, latency_ms={"describe": 20.0, "locate": 12.26}),
    FrameResult("c.jpg", 6, None, Refusal(6, Stage.GATE, Reason.AMBIGUOUS)),
)


def test_the_columns_are_the_published_ones():
    assert ",".join(COLUMNS) == (
        "frame,time_ns,status,reason,lat_deg,lon_deg,centre_lat_deg,centre_lon_deg,"
        "cov_ee_m2,cov_en_m2,cov_nn_m2,protection_m,inliers,latency_ms"
    )


def test_rows_of_an_accepted_and_a_refused_frame(tmp_path):
    write_fixes_csv(tmp_path / "fixes.csv", RESULTS)
    with (tmp_path / "fixes.csv").open(newline="") as file:
        accepted, refused = csv.DictReader(file)
    assert accepted["frame"] == 'a, "b".jpg'
    assert (accepted["status"], accepted["reason"]) == ("accepted", "")
    assert accepted["lat_deg"] == "24.12345679"
    assert (accepted["cov_ee_m2"], accepted["cov_en_m2"], accepted["cov_nn_m2"]) == (
        *("4.000", "1.000"),
        "9.000",
    )
    assert (accepted["inliers"], accepted["latency_ms"]) == ("40", "32.3")
    assert (refused["status"], refused["reason"], refused["lat_deg"]) == (
        "refused",
        "ambiguous",
        "",
    )


def test_the_geojson_loses_no_frame(tmp_path):
    write_fixes_geojson(tmp_path / "fixes.geojson", RESULTS)
    first, second = json.loads((tmp_path / "fixes.geojson").read_text())["features"]
    assert first["geometry"]["coordinates"] == [120.5, 24.12345679]
    assert second["geometry"] is None
    assert second["properties"]["reason"] == "ambiguous"
