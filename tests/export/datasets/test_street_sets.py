"""VIGOR, CVUSA and CVACT: street panoramas against satellite pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_pictures import put_picture
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from export.datasets import cvact, cvusa, vigor
from export.datasets.retrieval_set import Protocol
from onboard.errors import InputError

TILES = [f"satellite_{40 + n / 1000:.3f}_-87.6.png" for n in range(5)]


def write_city(root: Path, city: str, splits: str, ending: str = "", swapped: bool = False) -> None:
    """Five tiles; two panoramas to train on, two to test, in either way of keeping pictures."""
    satellite = root / ("satellite/" + city if swapped else city + "/satellite")
    ground = root / ("ground/" + city if swapped else city + "/panorama")
    labels = root / splits / city
    labels.mkdir(parents=True)
    for tile in TILES:
        put_picture(satellite / tile)
    (labels / "satellite_list.txt").write_text("\n".join(TILES) + "\n")
    everything = ""
    for part in ("train", "test"):
        lines = ""
        for n in range(2):
            pano = f"{part}{n},{40 + n / 1000:.3f},-87.61,.jpg"
            put_picture(ground / pano)
            rest = " ".join(f"{TILES[n + k]} {10 * k}.5 -{400 * k}" for k in range(1, 4))
            lines += f"{pano} {TILES[n]} 12.5 -30.25 {rest}\n"
        (labels / f"same_area_balanced_{part}{ending}.txt").write_text(lines)
        everything += lines
    (labels / f"pano_label_balanced{ending}.txt").write_text(everything)


@pytest.fixture
def vigor_root(tmp_path: Path) -> Path:
    for city in vigor.CITIES:
        write_city(tmp_path, city, "splits_new")
    return tmp_path


def test_vigor_same_area(vigor_root: Path) -> None:
    found = vigor.read(vigor_root)
    assert found.protocol is Protocol.TILES
    assert (len(found.queries), len(found.gallery)) == (8, 20)
    assert found.positives[2] == (5,)  # NewYork comes after Chicago's five tiles
    assert found.semi_positives[3] == (7, 8, 9)
    truth = found.truths[2]
    assert (truth.col_px, truth.row_px) == (320 + 30.25, 320 + 12.5)
    assert truth.metres_per_px == 0.113248
    assert found.queries[1].position_deg == (40.001, -87.61)
    assert found.gallery[6].position_deg == (40.001, -87.6)
    assert "corrected" in found.name


def test_vigor_cross_area_uses_other_cities(vigor_root: Path) -> None:
    (test,) = vigor.read_sets(vigor_root, "cross", vigor_root)
    training = vigor.read_training(vigor_root, "cross", vigor_root)
    assert len(test.queries) == len(training.queries) == 8
    places = [{i.picture.parent.parent.name for i in s.queries} for s in (test, training)]
    assert places == [{"SanFrancisco", "Chicago"}, {"NewYork", "Seattle"}]


@pytest.mark.parametrize("swapped", [False, True])
def test_vigor_other_spellings(tmp_path: Path, swapped: bool) -> None:
    for city in vigor.CITIES:
        write_city(tmp_path, city, "splits__corrected", "__corrected", swapped)
    assert len(vigor.read(tmp_path, "cross").queries) == 8
    with pytest.raises(InputError, match=r"splits: no such folder.*original labels"):
        vigor.read(tmp_path, "same", "original")


def test_vigor_says_which_line_is_wrong(vigor_root: Path) -> None:
    path = vigor_root / "splits_new/Chicago/same_area_balanced_test.txt"
    good = path.read_text().splitlines()
    for line, word in (
        ("a b c", "3 words"),
        (good[1].replace("12.5", "x"), "no number"),
        (good[1].replace(TILES[1], "satellite_1_1.png"), "lacks"),
        (good[1].replace("test1", "absent"), "no such picture"),
    ):
        path.write_text(f"{good[0]}\n{line}\n")
        with pytest.raises(InputError, match=word) as caught:
            vigor.read(vigor_root)
        assert f"{path}, line 2" in str(caught.value)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        vigor.read(vigor_root)


@given(st.lists(st.floats(-1e4, 1e4), min_size=8, max_size=8))
def test_vigor_lines_come_back(offsets: list[float]) -> None:
    pairs = [(offsets[i], offsets[i + 1]) for i in range(0, 8, 2)]
    words = [f"{t} {a!r} {b!r}" for t, (a, b) in zip(TILES, pairs, strict=False)]
    label = vigor.parse_label(" ".join(["p,1,2,.jpg", *words]), "f")
    assert label == vigor.Label("p,1,2,.jpg", tuple(TILES[:4]), tuple(pairs))  # type: ignore[arg-type]


@settings(max_examples=40)
@given(st.one_of(st.text(), st.lists(st.text("a1.-,_ "), min_size=13).map(" ".join)))
def test_vigor_lines_and_names_are_parsed_or_refused(text: str) -> None:
    for parse in (vigor.parse_label, vigor.panorama_position, vigor.tile_position):
        try:
            parse(text, "f, line 3")
        except InputError as e:
            assert "f, line 3" in str(e)


@pytest.fixture
def cvusa_root(tmp_path: Path) -> Path:
    (tmp_path / "splits").mkdir()
    for split, first, count in (("train", 0, 3), ("val", 3, 2)):
        lines = []
        for n in range(first, first + count):
            satellite, ground = f"bingmap/19/{n:07d}.jpg", f"streetview/panos/{n:07d}.jpg"
            put_picture(tmp_path / satellite)
            put_picture(tmp_path / ground)
            lines.append(f"{satellite},{ground},streetview/annotations/{n:07d}.png")
        (tmp_path / f"splits/{split}-19zl.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_cvusa_pairs(cvusa_root: Path) -> None:
    found = cvusa.read(cvusa_root)
    assert found.positives == ((0,), (1,))
    assert found.queries[1].picture.parts[-3:] == ("streetview", "panos", "0000004.jpg")
    assert found.gallery[1].picture.parts[-3:] == ("bingmap", "19", "0000004.jpg")
    assert found.query_size == (140, 768) == (round(224 * 768 / 1232), 768)
    assert len(cvusa.read_training(cvusa_root, "val", cvusa_root).queries) == 3


def test_cvusa_says_which_line_is_wrong(cvusa_root: Path) -> None:
    path = cvusa_root / "splits/val-19zl.csv"
    good = path.read_text()
    for line, word in (
        ("bingmap/19/0000001.jpg", "1 columns"),
        ("bingmap/19/0000009.jpg,streetview/panos/0000001.jpg", "0000009"),
        ("bingmap/19/0000003.jpg,streetview/panos/0000003.jpg", "twice"),
    ):
        path.write_text(good + line + "\n")
        with pytest.raises(InputError, match=word) as caught:
            cvusa.read(cvusa_root)
        assert "line 3" in str(caught.value)


@pytest.fixture
def cvact_root(tmp_path: Path) -> Path:
    """Six small pairs, the second and fourth to train on; three test pairs, two of them near."""
    ids = [f"pano_{c}" for c in "abcdef"]
    utm = np.array([[0.0, 0], [3, 4], [3, 4.1], [100, 0], [-4.9, 0], [200, 0]])
    for folder, held in (("ANU_data_small", ids), ("ANU_data_test", [*ids[:3], *ids[4:5]])):
        for i in held:
            put_picture(tmp_path / folder / f"streetview/{i}_grdView.jpg")
            put_picture(tmp_path / folder / f"satview_polish/{i}_satView_polish.jpg")
    put_picture(tmp_path / "ANU_data_test/streetview/alone_grdView.jpg")
    savemat(
        tmp_path / "ACT_data.mat",
        {
            "panoIds": np.array(ids),
            "utm": utm,
            "trainSet": {"trainInd": np.array([[2], [4]])},
            "valSet": {"valInd": np.array([[6], [1]])},
        },
    )
    return tmp_path


def test_cvact_splits(cvact_root: Path) -> None:
    val = cvact.read(cvact_root)
    assert [q.label for q in val.queries] == ["pano_f", "pano_a"]
    assert val.positives == ((0,), (1,))
    assert val.queries[0].position_m == (200.0, 0.0)
    training = cvact.read_training(cvact_root, "val", cvact_root)
    assert [q.label for q in training.queries] == ["pano_b", "pano_d"]


def test_cvact_test_split_with_and_without_the_5_m_rule(cvact_root: Path) -> None:
    plain, near = (cvact.read_sets(cvact_root, d, cvact_root)[0] for d in ("test", "test-5m"))
    assert [q.label for q in plain.queries] == ["pano_a", "pano_b", "pano_c", "pano_e"]
    assert plain.positives == ((0,), (1,), (2,), (3,))
    assert near.positives == ((0, 1, 3), (0, 1, 2), (1, 2), (0, 3))


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(-20, 20), st.floats(-20, 20)), max_size=30))
def test_cvact_near_ones_are_those_of_all_distances(points: list[tuple[float, float]]) -> None:
    items = tuple(cvact.Item(Path("x"), "x", position_m=p) for p in points)
    slow = tuple(
        tuple(j for j, b in enumerate(points) if np.hypot(a[0] - b[0], a[1] - b[1]) <= 5.0)
        for a in points
    )
    assert cvact._near(items) == slow


def test_cvact_says_what_is_missing(cvact_root: Path) -> None:
    (cvact_root / "ANU_data_small/streetview/pano_f_grdView.jpg").unlink()
    with pytest.raises(InputError, match="1 of 2 pairs"):
        cvact.read(cvact_root)
    (cvact_root / "ACT_data.mat").write_bytes(b"\0" * 200)
    with pytest.raises(InputError, match="not CVACT's list"):
        cvact.read(cvact_root)
    (cvact_root / "ACT_data.mat").unlink()
    with pytest.raises(InputError, match="no such file"):
        cvact.read(cvact_root)
