import json

import numpy as np
import pytest

from maps.localizability.findings import Findings, Tried
from maps.localizability.ground_cover import GroundCover
from maps.localizability.places import Place
from tools.map.check_study import _kept
from tools.map.study_figures import Measured, bootstrap, fitted, lines_of, spearman
from tools.map.study_grounds import GROUNDS


def measured(seed: int, count: int = 60) -> Measured:
    """Places whose chance rises with structure and falls with plain ground, and with nothing
    else."""
    rng = np.random.default_rng(seed)
    structure, plain, other = rng.uniform(0, 3, count), rng.uniform(0, 1, count), rng.random(count)
    share = 1 / (1 + np.exp(2 - 2 * structure + 3 * plain))
    findings = tuple(
        Findings(
            Place(0, i, 18),
            GroundCover(1.0, float(plain[i]), 0.0, 0.0, float(structure[i]), 0.0),
            None,
            Tried(0.5, 0.5, 0.0, float(other[i]), 1.0, 0.0, 0.0, 0.5, None, None, 3),
        )
        for i in range(count)
    )
    halves = np.stack([share, share], axis=1)
    return Measured(f"made {seed}", findings, share, share, share, share, halves, 8 * count)


def test_rank_correlation_is_spearmans():
    a = np.array([1.0, 2.0, 2.0, 4.0, 9.0])
    assert spearman(a, a**3) == pytest.approx(1.0)
    assert spearman(a, -a) == pytest.approx(-1.0)
    # By hand: ranks 1 2.5 2.5 4 5 against 2 1 3 5 4.
    assert spearman(a, np.array([0.2, 0.1, 0.3, 0.9, 0.4])) == pytest.approx(0.7182, abs=1e-4)
    assert np.isnan(spearman(a, np.ones(5)))
    low, high = bootstrap(a, a)
    assert low > 0.9 and high == pytest.approx(1.0)


def test_the_fit_finds_what_matters():
    beta = fitted([measured(1), measured(2)], alone=False)
    _, agreement, found, contrast, structure, plain = beta
    assert structure > 0.7 and plain < -0.7
    assert abs(agreement) < 0.4 and found == contrast == 0.0


def test_a_ground_of_equal_places_has_no_correlation_and_says_so():
    even = measured(3)
    flat = np.full_like(even.share, 0.8)
    even = Measured("even", even.findings, even.chance, flat, flat, flat, even.halves, 100)
    lines = lines_of([measured(1), even])
    assert "nan" in next(line for line in lines if line.startswith("even"))
    assert any("n 120 places" in line for line in lines)


def test_a_stopped_ground_goes_on(tmp_path):
    def rows(done):
        yield from ({"row": 1, "col": c, "n": 1} for c in range(5))

    whole = _kept(tmp_path, rows)
    (tmp_path / "flown.done").unlink()
    lines = (tmp_path / "flown.jsonl").read_text()
    (tmp_path / "flown.jsonl").write_text(lines[:40])
    handed = []
    assert _kept(tmp_path, lambda done: handed.extend(done) or rows(done)) == whole
    assert handed == whole[:1] and (tmp_path / "flown.jsonl").read_text() == lines
    assert _kept(tmp_path, lambda done: pytest.fail("flown again")) == [
        json.loads(line) for line in lines.splitlines()
    ]


def test_no_test_ground_was_fitted_on():
    fit, test = ({g.name for g in GROUNDS if g.fit is which} for which in (True, False))
    assert fit and test and not fit & test
