"""GTA-UAV: JSON lists against the folders, positions in metres of the game's world."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dataset_pictures import put_picture
from hypothesis import given
from hypothesis import strategies as st

from export.datasets import gta_uav
from onboard.errors import InputError

TILES = ("5_0_003_004.png", "6_0_007_009.png", "6_0_000_000.png")


def entry(name: str, x: float, pos: dict[str, float], more: dict[str, float]) -> dict[str, Any]:
    both = pos | more
    return {
        "drone_img_dir": "drone/images",
        "drone_img_name": name,
        "drone_loc_x_y": [x, 1500.0],
        "pair_pos_sate_img_list": list(pos),
        "pair_pos_sate_weight_list": list(pos.values()),
        "pair_pos_semipos_sate_img_list": list(both),
        "pair_pos_semipos_sate_weight_list": list(both.values()),
    }


@pytest.fixture
def game(tmp_path: Path) -> Path:
    for n in range(3):
        put_picture(tmp_path / f"drone/images/200_{n:04d}.png")
    for tile in TILES:
        put_picture(tmp_path / "satellite" / tile)
    entries = [
        entry("200_0000.png", 10.0, {TILES[0]: 0.5}, {TILES[1]: 0.2}),
        entry("200_0001.png", 20.0, {}, {TILES[1]: 0.3}),
        entry("200_0002.png", 30.0, {TILES[2]: 0.7, TILES[1]: 0.4}, {}),
    ]
    for split in ("cross", "same"):
        for part in ("train", "test"):
            path = tmp_path / f"{split}-area-drone2sate-{part}.json"
            path.write_text(json.dumps(entries))
    return tmp_path


def test_test_half(game: Path) -> None:
    found = gta_uav.read(game)
    assert [q.label for q in found.queries] == ["200_0000", "200_0002"]
    labels = [[found.gallery[i].label for i in own] for own in found.positives]
    assert labels == [["5_0_003_004"], ["6_0_000_000", "6_0_007_009"]]
    assert found.weights == ((0.5,), (0.7, 0.4))
    assert [len(s) for s in found.semi_positives] == [1, 0]
    assert found.queries[0].position_m == (10.0, 1500.0)
    tile = found.gallery[0]
    side_m = 24576 / 32 * 0.45
    assert tile.position_m == pytest.approx((3.5 * side_m, 4.5 * side_m))
    assert tile.width_m == pytest.approx(side_m)


def test_training_takes_every_pair(game: Path) -> None:
    training = gta_uav.read_training(game, "same", game)
    assert len(training.queries) == 3
    assert training.weights == ((0.5, 0.2), (0.3,), (0.7, 0.4))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"drone_img_name": "absent.png"}, "no such picture"),
        ({"drone_img_name": 3}, "another kind"),
        ({"drone_loc_x_y": [1.0]}, "another kind"),
        ({"drone_loc_x_y": ["a", "b"]}, "no number"),
        ({"pair_pos_sate_img_list": ["absent.png"]}, "lacks"),
        ({"pair_pos_sate_weight_list": []}, "another kind"),
        ({"pair_pos_sate_img_list": None}, "another kind"),
    ],
)
def test_wrong_entries_are_named(game: Path, change: dict[str, Any], word: str) -> None:
    path = game / "cross-area-drone2sate-test.json"
    entries = json.loads(path.read_text())
    entries[1] |= {"pair_pos_sate_img_list": [TILES[0]], "pair_pos_sate_weight_list": [0.5]}
    entries[1] |= change
    path.write_text(json.dumps(entries))
    with pytest.raises(InputError, match=word) as caught:
        gta_uav.read(game)
    assert f"{path}, entry 1" in str(caught.value)


def test_entries_that_are_no_objects(game: Path) -> None:
    path = game / "cross-area-drone2sate-test.json"
    path.write_text("[1]")
    with pytest.raises(InputError, match="another kind"):
        gta_uav.read(game)
    path.write_text("[]")
    with pytest.raises(InputError, match="no entry has a positive"):
        gta_uav.read(game)


@given(st.one_of(st.text(), st.from_regex(r"\A\d{1,8}_0_\d{1,8}_\d{1,4}\.png\Z")))
def test_tile_names_are_parsed_or_refused(name: str) -> None:
    try:
        (x, y), side_m = gta_uav.tile_place(name, "here")
        assert min(side_m, x, y) > 0
    except InputError as e:
        assert "here" in str(e)
