"""What a map says of its own error: read, limited, and the worst of its imagery."""

import json

import pytest

from onboard.errors import InputError
from onboard.pack.map_error import (
    LEAST_MAP_SIGMA_M,
    MAP_SIGMA_M,
    MOST_MAP_SIGMA_M,
    map_error_said,
    map_sigma_m,
)
from onboard.pack.pack_manifest import MANIFEST_NAME, manifest_text, read_manifest
from tests.onboard.hand_made_pack import square_table, write_pack


@pytest.mark.parametrize(
    ("said", "sigma_m", "words"),
    [
        ((), MAP_SIGMA_M, "assumed: the map does not say"),
        ((None, None), MAP_SIGMA_M, "assumed: the map does not say"),
        ((0.1, None), MAP_SIGMA_M, "assumed: some of the map's imagery does not say"),
        ((8.0, None), 8.0, "as said"),
        ((3.0,), 3.0, "as said"),
        ((0.8, 1.5, 0.2), 1.5, "as said"),
        ((0.1, 0.02), LEAST_MAP_SIGMA_M, "0.1 m was said, less is not believed"),
        ((MOST_MAP_SIGMA_M,), MOST_MAP_SIGMA_M, "as said"),
    ],
)
def test_the_worst_of_the_imagery_counts(said, sigma_m, words):
    assert map_sigma_m(said) == sigma_m
    text = map_error_said(said)
    assert text.startswith(f"{sigma_m:g} m (1 sigma per axis)") and words in text


def test_a_pack_tells_it_and_one_without_it_opens_as_before(tmp_path):
    silent = read_manifest(write_pack(tmp_path / "a.pack", [square_table(3)]))
    assert "sigma_m" not in manifest_text(silent) and silent.map_sigma_m == MAP_SIGMA_M
    told = read_manifest(write_pack(tmp_path / "b.pack", [square_table(3)], sigma_m=8.0))
    assert told.imagery[0].sigma_m == 8.0 and told.map_sigma_m == 8.0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((v, "above 0 and up to 10") for v in ("0", "-1", "1e9", "10.01", "-0.0", "1e-400")),
        *(("NaN", "not valid JSON"), ("1e999", "JSON"), ("null", "expected float")),
        *(('"8"', "expected float"), ("true", "expected float"), ("[8]", "expected float")),
        ("9" * 400, "number"),
    ],
)
def test_what_no_map_can_say_is_refused_in_one_sentence(tmp_path, value, said):
    path = write_pack(tmp_path / "a.pack", [square_table(3)], sigma_m=8.0) / MANIFEST_NAME
    path.write_text(path.read_text().replace('"sigma_m": 8.0', f'"sigma_m": {value}'))
    with pytest.raises(InputError, match=said) as refused:
        read_manifest(path.parent)
    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)


def test_whole_metres_are_a_number_too(tmp_path):
    path = write_pack(tmp_path / "a.pack", [square_table(3)], sigma_m=8.0) / MANIFEST_NAME
    table = json.loads(path.read_text())
    table["imagery"][0]["sigma_m"] = 4
    path.write_text(json.dumps(table))
    assert read_manifest(path.parent).map_sigma_m == 4.0
