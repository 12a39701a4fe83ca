from pathlib import Path

import cv2
import numpy as np
import pytest

from export.points.colmap import (
    EXHAUSTIVE_PHOTOS,
    FOLLOWING_PHOTOS,
    NEAREST_PHOTOS,
    ColmapSettings,
    Photograph,
    pairs_to_match,
    reconstruct,
)
from export.points.georeference import upright
from onboard.errors import InputError


def photos(folder: Path) -> list[Photograph]:
    return [Photograph(p) for p in sorted(folder.glob("*.png"))]


def test_few_photographs_are_all_matched():
    few = [Photograph(Path(f"{i}.jpg")) for i in range(5)]
    assert pairs_to_match(few) == [[1, 2, 3, 4], [2, 3, 4], [3, 4], [4], []]


def test_many_are_matched_with_the_nearest_and_the_following():
    n = EXHAUSTIVE_PHOTOS + 50
    line = [Photograph(Path(f"{i}.jpg"), 47.0, 8.0 + 1e-4 * i) for i in range(n - 1)]
    back = Photograph(Path("last.jpg"), 47.0, 8.0)  # the flight ends where it began
    pairs = pairs_to_match([*line, back])
    assert pairs[0][:FOLLOWING_PHOTOS] == list(range(1, FOLLOWING_PHOTOS + 1))
    assert n - 1 in pairs[0] and n - 1 not in pairs[70]
    assert sum(map(len, pairs)) < n * (NEAREST_PHOTOS + FOLLOWING_PHOTOS)


def test_without_geotags_many_are_matched_with_the_following():
    many = [Photograph(Path(f"{i}.jpg")) for i in range(EXHAUSTIVE_PHOTOS + 1)]
    assert pairs_to_match(many)[3] == list(range(4, 4 + FOLLOWING_PHOTOS))


def test_rendered_photographs_find_their_places(rendered, tmp_path):
    pytest.importorskip("pycolmap", reason="pip install 'pilotage[survey]'")
    stages: list[str] = []
    settings = ColmapSettings(picture_px=320, features=600, threads=1)
    found = photos(rendered.photographs)[2:7]
    made = reconstruct(found, tmp_path / "work", settings, lambda s, *_: stages.append(s))
    assert {"features", "matches", "mapping"} == set(stages)
    assert [c.file for c in made.cameras] == [p.path.name for p in found]
    assert made.reprojection_px < 1.0 and len(made.points.xyz) > 200
    at = np.array([c.position_m for c in upright(made).cameras])
    true = np.array([c.position_m for c in rendered.truth.cameras[2:7]])
    gaps, truth = (np.linalg.norm(np.diff(p[:, :2], axis=0), axis=1) for p in (at, true))
    assert np.allclose(gaps / gaps.mean(), truth / truth.mean(), atol=0.05)
    assert np.ptp(at[:, 2]) < 0.05 * gaps.sum()
    with pytest.raises(InputError, match="other photographs or settings"):
        reconstruct(found[:-1], tmp_path / "work", settings, lambda *_: None)


def test_photographs_that_share_nothing_are_refused(tmp_path):
    pytest.importorskip("pycolmap", reason="pip install 'pilotage[survey]'")
    rng = np.random.default_rng(1)
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), rng.integers(0, 256, (120, 160, 3), np.uint8))
    settings = ColmapSettings(picture_px=160, features=100, threads=1)
    with pytest.raises(InputError, match="no two photographs see the same ground"):
        reconstruct(photos(tmp_path), tmp_path / "work", settings, lambda *_: None)


def test_two_photographs_are_too_few(tmp_path):
    pytest.importorskip("pycolmap", reason="pip install 'pilotage[survey]'")
    with pytest.raises(InputError, match="needs 3 or more"):
        reconstruct(
            [Photograph(tmp_path / "a.png")] * 2, tmp_path, ColmapSettings(), lambda *_: None
        )
