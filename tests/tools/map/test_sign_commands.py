"""Making keys, signing, verifying and inspecting as a person does it."""

import json

import pytest

from onboard.pack.pack_signature import SIGNATURE_NAME
from tests.onboard.hand_made_pack import square_table, write_pack
from tools.cli import main


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "area.pack", [square_table(5)])


@pytest.fixture
def keys(tmp_path, capsys):
    assert main(["map", "key", "new", str(tmp_path / "keys")]) == 0
    capsys.readouterr()
    return tmp_path / "keys"


def sign(pack, keys, *words):
    return main(["map", "sign", str(pack), "--key", str(keys / "private.pem"), *words])


def test_a_key_is_made_once(tmp_path, capsys):
    assert main(["map", "key", "new", str(tmp_path / "keys")]) == 0
    assert "private.pem" in capsys.readouterr().out
    assert main(["map", "key", "new", str(tmp_path / "keys")]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["map", "key", "old", str(tmp_path / "other")]) == 2


def test_what_was_signed_is_verified(pack, keys, capsys):
    public = str(keys / "public.pem")
    assert main(["map", "verify", str(pack), "--map-public-key", public]) == 2
    assert "is not signed" in capsys.readouterr().err
    assert sign(pack, keys, "--expires", "2099-01-01") == 0
    assert "serial" in capsys.readouterr().out
    assert main(["map", "verify", str(pack), "--map-public-key", public]) == 0
    assert "until 2099-01-01 (" in capsys.readouterr().out
    assert main(["map", "verify", str(pack)]) == 0
    assert "not checked" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_a_pack_of_another_key_is_one_sentence_and_exit_2(pack, keys, tmp_path, capsys, command):
    assert sign(pack, keys) == 0
    main(["map", "key", "new", str(tmp_path / "other.pem")])
    capsys.readouterr()
    public = str(tmp_path / "other.public.pem")
    assert main(["map", command, str(pack), "--map-public-key", public]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "is signed by key" in said.err and not said.out


def test_signing_with_the_public_key_is_told(pack, keys, capsys):
    assert main(["map", "sign", str(pack), "--key", str(keys / "public.pem")]) == 2
    assert "holds no private key" in capsys.readouterr().err
    assert not (pack / SIGNATURE_NAME).exists()


def test_inspect_tells_programs_the_same(pack, keys, capsys):
    assert sign(pack, keys, "--serial", "41", "--expires", "2099-01-01") == 0
    capsys.readouterr()
    assert main(["map", "inspect", str(pack), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["signature"]["serial"] == 41 and table["signature"]["expires"] == "2099-01-01"
    assert table["signature"]["pack"] == table["name"] and table["trusted"] is False
    assert table["imagery"][0]["attribution"] == "none" and table["terrain"] is None
    public = str(keys / "public.pem")
    assert main(["map", "inspect", str(pack), "--json", "--map-public-key", public]) == 0
    assert json.loads(capsys.readouterr().out)["trusted"] is True
    assert main(["map", "inspect", str(pack)]) == 0
    said = capsys.readouterr().out
    assert f"name        {table['name']}\n" in said
    assert f"as '{table['name']}', serial 41, until 2099-01-01, so it says" in said
    assert "attribution none" in said and "terrain     none" in said


def test_inspect_of_a_damaged_signature_tells_it(pack, keys, capsys):
    (pack / SIGNATURE_NAME).write_text("{")
    assert main(["map", "inspect", str(pack), "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["signature"] is None and "damaged" in table["signature_said"]


def test_a_simulation_asks_for_the_signature(pack, keys, tmp_path, capsys):
    public = ["--map-public-key", str(keys / "public.pem")]
    words = [
        "sim",
        "loss_in_cruise",
        "--imagery",
        "x.tif",
        "--map",
        str(pack),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*words, *public]) == 2
    assert "is not signed" in capsys.readouterr().err
    assert main(["sim", *public]) == 2
    assert "give the --map" in capsys.readouterr().err
