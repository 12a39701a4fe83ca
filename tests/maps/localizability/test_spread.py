import pytest

from maps.localizability.findings import Findings, Tried, as_row, of_row
from maps.localizability.ground_cover import GroundCover
from maps.localizability.places import Place
from maps.localizability.spread import spread

LAND, LAKE = GroundCover(1, 0.0, 0.0, 0.1, 2.8, 0), GroundCover(1, 0.9, 0.9, 0.0, 0.3, 0)


def tried(found: float) -> Tried:
    return Tried(
        found, found, 0.0, found, 4 * found, 0.1, 0.0, 0.7, 1.4 if found else None, None, 3
    )


def test_a_lake_between_samples_of_land_takes_after_the_other_lake():
    row = [Findings(Place(0, c, 18), LAND, None, tried(0.9)) for c in range(0, 12, 4)]
    row.append(Findings(Place(0, 14, 18), LAKE, None, tried(0.0)))
    lake = Findings(Place(0, 6, 18), LAKE, None, None)
    land = Findings(Place(0, 7, 18), LAND, None, None)
    out = {f.place.col: f.tried for f in spread([*row, lake, land])}
    assert out[6].found < 0.2 and out[7].found > 0.8
    assert out[6].views == 0 and out[0] == tried(0.9)


def test_findings_go_through_a_file():
    findings = Findings(Place(3, 4, 18), LAND, 12.5, tried(0.5))
    assert of_row(as_row(findings)) == findings
    with pytest.raises(KeyError):
        of_row({"place": {"row": 1, "col": 2, "level": 3}})
