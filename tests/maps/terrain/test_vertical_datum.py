"""With a geoid grid at hand, PROJ converts: a tiny one of the real grid's name stands in, for the
real ones are larger than a test may fetch."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from maps.terrain.vertical_datum import parse_datum, to_amsl
from onboard.errors import InputError

ROOT = Path(__file__).parents[3]
UNDULATION = """
import numpy as np
from maps.terrain.vertical_datum import parse_datum, to_amsl
lat, lon = np.array([46.2, -33.4, 0.0]), np.array([7.3, 151.2, -179.0])
found = to_amsl(parse_datum("{}"), None, "a.tif")
print(*found.added_m(lat, lon), found.sigma_m)
"""


def write_gtx(path: Path, step_deg: float) -> None:
    """A geoid that is 40 m + a tenth of a metre a degree of latitude above the ellipsoid."""
    rows, cols = round(180 / step_deg) + 1, round(360 / step_deg) + 1
    lat = -90 + step_deg * np.arange(rows)
    values = np.repeat((40 + lat / 10)[:, None], cols, 1)
    header = struct.pack(">ddddii", -90.0, -180.0, step_deg, step_deg, rows, cols)
    path.write_bytes(header + values.astype(">f4").tobytes())


def said_with_grids(folder: Path, datum: str) -> list[float]:
    """In a process of its own, as PROJ looks for grids once."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PROJ_DATA", "PROJ_LIB")}
    environment = {**kept, "PYTHONPATH": str(ROOT)}
    code = f"import pyproj; pyproj.datadir.append_data_dir({str(folder)!r})\n"
    run = subprocess.run(
        [sys.executable, "-c", code + UNDULATION.format(datum)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        cwd=ROOT,
    )
    return [float(word) for word in run.stdout.split()]


def test_ellipsoid_heights_come_down_to_the_geoid_where_proj_has_its_grid(tmp_path):
    write_gtx(tmp_path / "egm96_15.gtx", 5.0)
    found = said_with_grids(tmp_path, "ellipsoid")
    assert found == pytest.approx([-44.62, -36.66, -40.0, 0.0], abs=1e-3)


def test_a_geoid_whose_own_grid_is_missing_is_taken_over(tmp_path):
    write_gtx(tmp_path / "egm96_15.gtx", 5.0)
    found = said_with_grids(tmp_path, "egm2008")
    assert found == [0.0, 0.0, 0.0, 1.0]  # the difference is told as error


@pytest.mark.parametrize(
    ("datum", "offset_m", "added_m", "sigma_m"),
    [
        ("egm96", None, 0.0, 0.0),
        ("egm2008", None, 0.0, 1.0),
        ("EPSG:3855", None, 0.0, 1.0),
        ("navd88", None, 0.0, 2.0),
        ("EPSG:5709", None, 0.0, 2.0),
        ("ellipsoid", 47.3, -47.3, 1.0),
    ],
)
def test_without_grids(datum, offset_m, added_m, sigma_m):
    found = to_amsl(parse_datum(datum), offset_m, "a.tif")
    at = np.zeros((2, 3))
    assert (found.added_m(at, at) == added_m).all() and found.added_m(at, at).shape == (2, 3)
    assert found.sigma_m == sigma_m


def test_ellipsoid_heights_without_a_grid_are_refused():
    with pytest.raises(InputError, match=r"a\.tif: .*ellipsoid.*--dem-offset-m"):
        to_amsl(parse_datum("ellipsoid"), None, "a.tif")
