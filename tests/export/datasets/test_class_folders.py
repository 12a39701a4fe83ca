"""University-1652, SUES-200 and DenseUAV: a folder of pictures a place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from dataset_pictures import put_picture
from hypothesis import given
from hypothesis import strategies as st

from export.datasets import denseuav, sues200, university1652
from export.datasets.retrieval_set import Protocol
from onboard.errors import InputError


@pytest.fixture
def university(tmp_path: Path) -> Path:
    for place in ("0001", "0002"):
        for i in range(3):
            put_picture(tmp_path / f"train/drone/{place}/image-{i:02d}.jpeg")
        put_picture(tmp_path / f"train/satellite/{place}/{place}.jpg")
    for place in ("0839", "0840"):
        for view, count in (("drone", 2), ("satellite", 1), ("street", 1)):
            for i in range(count):
                put_picture(tmp_path / f"test/query_{view}/{place}/{i}.JPG")
                put_picture(tmp_path / f"test/gallery_{view}/{place}/{i}.jpg")
    put_picture(tmp_path / "test/gallery_satellite/1000/1000.jpg")  # a distractor
    (tmp_path / "test/gallery_satellite/0839/notes.txt").write_text("no picture")
    (tmp_path / "test/gallery_satellite/.cache").mkdir()
    return tmp_path


def test_university_both_ways(university: Path) -> None:
    d2s = university1652.read(university)
    assert d2s.protocol is Protocol.CLASSES
    assert [q.label for q in d2s.queries] == ["0839", "0839", "0840", "0840"]
    assert [g.label for g in d2s.gallery] == ["0839", "0840", "1000"]
    assert d2s.positives == ((0,), (0,), (1,), (1,))
    (s2d,) = university1652.read_sets(university, "satellite-drone", university)
    assert s2d.positives == ((0, 1), (2, 3))
    assert "satellite -> drone" in s2d.name
    training = university1652.read_training(university, "drone-satellite", university)
    assert len(training.queries) == 6 and training.positives[5] == (1,)


def test_university_says_what_is_missing(university: Path) -> None:
    (university / "train/satellite/0002/0002.jpg").unlink()
    with pytest.raises(InputError, match=r"satellite/0002.*no pictures"):
        university1652.read_training(university, "drone-satellite", university)
    (university / "train/satellite/0002").rmdir()
    with pytest.raises(InputError, match="no satellite picture of 0002"):
        university1652.read_training(university, "drone-satellite", university)
    (university / "test/query_drone/here").mkdir()
    with pytest.raises(InputError, match="no id"):
        university1652.read(university)
    with pytest.raises(InputError, match="no such folder"):
        university1652.read(university / "absent")


@pytest.fixture(scope="module")
def sues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As handed out, at two heights, every picture a link to one."""
    root = tmp_path_factory.mktemp("sues")
    jpg, png = put_picture(root / "one.jpg"), put_picture(root / "one.png")
    for place in sues200.PLACES:
        folder = root / "satellite-view" / place
        folder.mkdir(parents=True)
        os.link(png, folder / "0.png")
        for height in (150, 300):
            folder = root / "drone_view_512" / place / str(height)
            folder.mkdir(parents=True)
            os.link(jpg, folder / "0.jpg")
            if height == 300:
                os.link(jpg, folder / "1.jpg")
    return root


def test_sues_list_of_training_places() -> None:
    assert len(sues200.TRAINING_PLACES) == 120 == len(set(sues200.TRAINING_PLACES))
    assert len(sues200.TEST_PLACES) == 80
    assert sues200.TRAINING_PLACES[:11] == (
        *("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0009", "0010", "0011"),
        "0013",
    )
    assert sues200.TRAINING_PLACES[-5:] == ("0196", "0197", "0198", "0199", "0200")


def test_sues_gallery_holds_all_places(sues: Path) -> None:
    d2s = sues200.read(sues, height_m=300)
    assert (len(d2s.queries), len(d2s.gallery)) == (160, 200)
    assert {q.label for q in d2s.queries} == set(sues200.TEST_PLACES)
    (s2d,) = sues200.read_sets(sues, "satellite-drone@300", sues)
    assert (len(s2d.queries), len(s2d.gallery)) == (80, 400)
    for query, own in zip(s2d.queries, s2d.positives, strict=True):
        assert len(own) == 2 and {s2d.gallery[j].label for j in own} == {query.label}
    training = sues200.read_training(sues, "drone-satellite@150", sues)
    assert len(training.queries) == len(training.gallery) == 120


def test_sues_without_a_height(sues: Path) -> None:
    with pytest.raises(InputError, match=r"drone_view_512/0008/200: no such folder"):
        sues200.read_sets(sues, "drone-satellite", sues)


def test_sues_as_split(tmp_path: Path) -> None:
    for height in sues200.HEIGHTS_M:
        for name in ("query_drone/0008", "gallery_satellite/0008", "gallery_satellite/0001"):
            put_picture(tmp_path / "Testing" / str(height) / name / "0.png")
        for view in ("drone", "satellite"):
            put_picture(tmp_path / "Training" / str(height) / view / "0001/0.png")
    sets = sues200.read_sets(tmp_path, "drone-satellite", tmp_path)
    assert len(sets) == 4
    assert sets[0].positives == ((1,),)
    training = sues200.read_training(tmp_path, "drone-satellite", tmp_path)
    assert (len(training.queries), len(training.gallery)) == (4, 1)


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    lines = []
    for n, place in enumerate(("000000", "000001", "000002")):
        for height in (80, 90, 100):
            if n < 2:
                put_picture(tmp_path / f"test/query_drone/{place}/H{height}.JPG")
            put_picture(tmp_path / f"test/gallery_satellite/{place}/H{height}.tif")
            put_picture(tmp_path / f"test/gallery_satellite/{place}/H{height}_old.tif")
            lat = 30.0 + n / 1000 if height == 100 else 1.0  # the last line wins
            path = f"test/query_drone/{place}/H{height}.JPG"
            lines.append(f"{path} E120.38{n} N{lat} {height}.5")
    (tmp_path / "Dense_GPS_ALL.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_dense_positions(dense: Path) -> None:
    found = denseuav.read(dense)
    assert (len(found.queries), len(found.gallery)) == (6, 18)
    assert found.queries[3].position_deg == (30.001, 120.381)
    assert found.gallery[17].position_deg == (30.002, 120.382)
    assert found.positives[0] == tuple(range(6))
    assert found.protocol is Protocol.POSITIONS


def test_dense_says_what_is_missing(dense: Path) -> None:
    put_picture(dense / "test/gallery_satellite/000009/H80.tif")
    with pytest.raises(InputError, match="no position of 000009"):
        denseuav.read(dense)
    path = dense / "Dense_GPS_ALL.txt"
    path.write_text(path.read_text() + "test/query_drone/000002/H80.JPG 120.3 30.0\n")
    with pytest.raises(InputError, match=r"Dense_GPS_ALL.txt, line 10"):
        denseuav.read(dense)
    path.unlink()
    with pytest.raises(InputError, match="no such file"):
        denseuav.read(dense)


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.integers(0, 999_999).map("{:06d}".format),
    st.sampled_from(["/", "\\"]),
)
def test_dense_lines_come_back(lat: float, lon: float, place: str, slash: str) -> None:
    text = f"train{slash}drone{slash}{place}{slash}H80.JPG E{lon!r} N{lat!r} 80.1"
    assert denseuav.parse_line(text, "f") == (place, (lat, lon))


@given(st.text())
def test_dense_lines_are_parsed_or_refused(text: str) -> None:
    try:
        folder, (lat, lon) = denseuav.parse_line(text, "f, line 7")
        assert abs(lat) <= 90 and abs(lon) <= 180 and "/" not in folder
    except InputError as e:
        assert "f, line 7" in str(e)
