import json
from pathlib import Path

import numpy as np
import pytest

from onboard.errors import InputError
from onboard.messages import TileId
from onboard.model_bundle import ModelBundle
from onboard.pack.map_pack import MapPack
from tests.onboard.hand_made_pack import COL0, LEVEL, MODEL, ROW0, square_table, write_pack


@pytest.fixture(scope="module")
def pack_path(tmp_path_factory) -> Path:
    return write_pack(tmp_path_factory.mktemp("p") / "a.pack", [square_table(20)])


@pytest.fixture
def copy(pack_path: Path, tmp_path: Path) -> Path:
    """A pack that a test may damage."""
    return write_pack(tmp_path / "a.pack", [square_table(20)])


def bundle(sha256: str) -> ModelBundle:
    return ModelBundle(Path("b"), "other-model", sha256, 256, 16, (0.1, 1.0))


def test_a_table_holds_all_shards_sorted_by_row_then_col(pack_path):
    table = MapPack.open(pack_path).tiles(LEVEL)
    whole = square_table(20)
    assert np.array_equal(table.cols, whole.cols) and np.array_equal(table.rows, whole.rows)
    assert np.allclose(table.descriptors, whole.descriptors, atol=1e-3)
    assert np.allclose(np.linalg.norm(table.descriptors, axis=1), 1, atol=1e-6)
    assert table.tile_id(21) == TileId(LEVEL, COL0 + 1, ROW0 + 1)


def test_window_is_what_a_plain_comparison_gives(pack_path):
    table = MapPack.open(pack_path).tiles(LEVEL)
    rng = np.random.default_rng(2)
    for _ in range(50):
        c0, r0 = rng.integers(-3, 22, 2)
        c1, r1 = c0 + rng.integers(0, 8), r0 + rng.integers(0, 8)
        box = (COL0 + c0, COL0 + c1, ROW0 + r0, ROW0 + r1)
        inside = (table.cols >= box[0]) & (table.cols <= box[1])
        inside &= (table.rows >= box[2]) & (table.rows <= box[3])
        assert np.array_equal(table.window(*map(int, box)), np.flatnonzero(inside))


def test_nearest_merges_the_shards_and_agrees_with_an_exact_search(pack_path):
    pack = MapPack.open(pack_path)
    table = pack.tiles(LEVEL)
    for i in range(0, len(table), 37):
        similarity = table.descriptors @ table.descriptors[i]
        best = np.argsort(-similarity)[:10]
        found = pack.nearest(LEVEL, table.descriptors[i], 10)
        assert found[0][0] == table.tile_id(i)
        assert {t for t, _ in found} == {table.tile_id(int(b)) for b in best}
        assert [d for _, d in found] == sorted(d for _, d in found)
        assert np.allclose([d for _, d in found], 1 - similarity[best], atol=1e-5)


def test_asking_for_more_than_there_is_gives_all(pack_path):
    pack = MapPack.open(pack_path)
    assert len(pack.nearest(LEVEL, pack.tiles(LEVEL).descriptors[0], 1000)) == 400


def test_an_unknown_level_names_the_known_ones(pack_path):
    with pytest.raises(InputError, match=rf"no level 12; it has {LEVEL}"):
        MapPack.open(pack_path).tiles(12)


def test_another_model_is_refused_with_both_ids(pack_path):
    with pytest.raises(InputError, match=r"hand-made.*other-model"):
        MapPack.open(pack_path, bundle("f" * 64))
    assert MapPack.open(pack_path, bundle(MODEL.sha256)).levels == (LEVEL,)


def test_a_missing_pack_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="pilotage map build"):
        MapPack.open(tmp_path / "none.pack")


@pytest.mark.parametrize(
    "name",
    [
        "imagery.mbtiles",
        f"index/z{LEVEL}-1367-820.codes.npy",
        f"index/z{LEVEL}-1368-820.descriptors.npy",
    ],
)
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_every_damaged_file_is_named_before_it_is_parsed(copy, name, damage):
    path = copy / name
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(InputError, match=path.name.replace(".", r"\.")):
        MapPack.open(copy)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda m: m.update(format_version=99), "format_version is 99"),
        (lambda m: m.update(levles=[1]), "unknown key 'levles'; did you mean 'levels'"),
        (lambda m: m.pop("bounds"), "key 'bounds' is missing"),
        (lambda m: m["bounds"].update(north="x"), "bounds: north: expected float"),
        (lambda m: m["files"].pop(0), "does not list imagery.mbtiles"),
        (lambda m: m["files"].append({"path": "../../x", "size": 1, "sha256": ""}), "leads out"),
        (lambda m: m.update(levels=[17]), "levels and shards do not agree"),
    ],
)
def test_a_wrong_manifest_says_what_is_wrong(copy, change, sentence):
    manifest = json.loads((copy / "manifest.json").read_text())
    change(manifest)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=sentence):
        MapPack.open(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_manifest_that_is_no_json_object(copy, text):
    (copy / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"manifest\.json"):
        MapPack.open(copy)


def test_shards_that_count_otherwise_than_the_manifest(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["shards"][0]["count"] += 1
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        InputError, match=r"holds \|u1 of \(200, 18\), expected \|u1 of \(201, 18\)"
    ):
        MapPack.open(copy).tiles(LEVEL)


def test_pictures_and_containment_follow_the_imagery(pack_path):
    pack = MapPack.open(pack_path)
    picture = pack.tile_picture(TileId(LEVEL, COL0 + 1, ROW0))
    assert (picture[:, :128] == 90).all() and (picture[:, 128:] == 0).all()
    lat, lon = 0.0, 60.5
    assert not pack.contains(lat, lon)
