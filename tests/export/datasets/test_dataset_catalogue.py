"""Data sets by name: every module keeps the contract, unknown names meet the nearest known one."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_pictures import put_picture

from export.datasets import catalogue
from onboard.errors import InputError


@pytest.mark.parametrize("name", catalogue.DATASETS)
def test_an_empty_folder_is_one_sentence_in_every_direction(name: str, tmp_path: Path) -> None:
    for direction in catalogue.directions(name):
        for root in (tmp_path, tmp_path / "absent"):
            for read in (catalogue.read_dataset, catalogue.read_training_set):
                with pytest.raises(InputError) as caught:
                    read(name, root, direction)
                assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_the_default_direction_is_the_first(tmp_path: Path) -> None:
    put_picture(tmp_path / "test/query_drone/0001/a.jpg")
    put_picture(tmp_path / "test/gallery_satellite/0001/a.jpg")
    (found,) = catalogue.read_dataset("university1652", tmp_path)
    assert found.name == "University-1652 drone -> satellite"


def test_unknown_names_meet_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'sues200'"):
        catalogue.read_dataset("sues-200", tmp_path)
    with pytest.raises(InputError, match=r"known are university1652, "):
        catalogue.directions("qqqq")
    with pytest.raises(InputError, match="did you mean 'drone-satellite@150'"):
        catalogue.read_dataset("sues200", tmp_path, "drone-satellite-150")
