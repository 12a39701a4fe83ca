import json

import pytest

from maps.localizability.in_pack import is_signed, map_sha256, own_files, put_into_pack
from onboard.errors import InputError
from onboard.pack.map_pack import MapPack
from tests.onboard.hand_made_pack import square_table, write_pack


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "a.pack", [square_table(5)])


def test_what_is_put_in_is_listed_and_checked(pack):
    names = put_into_pack(pack, {".png": b"picture", ".geojson": b"{}"})
    opened = MapPack.open(pack)  # hashes every file
    assert sorted(own_files(opened.manifest)) == sorted(names)
    (pack / names[0]).write_bytes(b"another")
    with pytest.raises(InputError, match="sha256"):
        MapPack.open(pack)


def test_a_second_check_replaces_the_first(pack):
    (first,) = put_into_pack(pack, {".png": b"one"})
    (second,) = put_into_pack(pack, {".png": b"two"})
    assert own_files(MapPack.open(pack).manifest) == [second]
    assert not (pack / first).exists() and (pack / second).read_bytes() == b"two"


def test_the_map_keeps_its_name_with_a_check_in_it(pack):
    before = map_sha256(MapPack.open(pack))
    put_into_pack(pack, {".png": b"one"})
    assert map_sha256(MapPack.open(pack)) == before


def test_a_pack_is_whole_when_it_was_stopped_before_the_manifest(pack, monkeypatch):
    put_into_pack(pack, {".png": b"one"})

    def stopped(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("maps.localizability.in_pack.manifest_text", stopped)
    with pytest.raises(KeyboardInterrupt):
        put_into_pack(pack, {".png": b"two"})
    assert len(own_files(MapPack.open(pack).manifest)) == 1


def test_a_signature_is_seen(pack):
    assert not is_signed(MapPack.open(pack))
    (pack / "manifest.sig").write_text(json.dumps({}))
    assert is_signed(MapPack.open(pack))
