import os
import subprocess

import pytest

from maps.signing import make_key, read_private_key, sign_pack
from onboard.errors import InputError
from onboard.pack.pack_signature import SIGNATURE_NAME, read_public_keys, read_signature
from tests.onboard.hand_made_pack import square_table, write_pack
from tests.onboard.signed_pack import DAY_S, SIGNED_S


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "area.pack", [square_table(4)])


@pytest.fixture
def key(tmp_path):
    return read_private_key(make_key(tmp_path / "keys")[0])


def test_a_new_pair_of_keys(tmp_path):
    private, public, name = make_key(tmp_path / "keys")
    assert (private.name, public.name) == ("private.pem", "public.pem")
    assert private.stat().st_mode & 0o777 == 0o600
    assert [k.id for k in read_public_keys(public)] == [name]
    private, public, other = make_key(tmp_path / "site.pem")
    assert (private.name, public.name) == ("site.pem", "site.public.pem") and other != name


@pytest.mark.parametrize("there", ["private.pem", "public.pem"])
def test_keys_are_never_replaced(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(InputError, match=f"{there}: exists already"):
        make_key(tmp_path)
    assert (tmp_path / there).read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_a_dangling_link_is_not_followed(tmp_path):
    (tmp_path / "private.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="exists already"):
        make_key(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


def test_private_keys_that_are_none(tmp_path, key):
    private, public = tmp_path / "keys" / "private.pem", tmp_path / "keys" / "public.pem"
    public.chmod(0o600)
    with pytest.raises(InputError, match="holds no private key"):
        read_private_key(public)
    private.chmod(0o640)
    with pytest.raises(InputError, match="others may read this private key"):
        read_private_key(private)
    with pytest.raises(InputError, match="pilotage map key new"):
        read_private_key(tmp_path / "none.pem")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        (["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:word"], "is encrypted"),
        (["genpkey", "-algorithm", "x25519"], "is not an Ed25519 key"),
        (["genpkey", "-algorithm", "ed25519"], None),
    ],
)
def test_keys_that_openssl_made(tmp_path, command, sentence):
    path = tmp_path / "k.pem"
    try:
        subprocess.run(["openssl", *command, "-out", str(path)], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl (apt install openssl)")
    path.chmod(0o600)
    if sentence is None:
        read_private_key(path)
    else:
        with pytest.raises(InputError, match=sentence):
            read_private_key(path)


def test_the_serial_grows_with_the_clock_and_with_every_signature(pack, key):
    assert sign_pack(pack, key, unix_s=SIGNED_S).serial == int(SIGNED_S)
    assert sign_pack(pack, key, unix_s=SIGNED_S).serial == int(SIGNED_S) + 1
    assert sign_pack(pack, key, unix_s=SIGNED_S + DAY_S).serial == int(SIGNED_S + DAY_S)
    assert sign_pack(pack, key, serial=int(SIGNED_S + 2 * DAY_S), unix_s=SIGNED_S).issued
    with pytest.raises(InputError, match="must be above"):
        sign_pack(pack, key, serial=7, unix_s=SIGNED_S)
    (pack / SIGNATURE_NAME).write_text("damaged")
    assert sign_pack(pack, key, serial=7, unix_s=SIGNED_S).serial == 7


@pytest.mark.parametrize("day", ["2026-11-17", "tomorrow", "2027-13-01", "", "20270601"])
def test_a_day_that_would_be_refused_is_not_signed(pack, key, day):
    with pytest.raises(InputError, match="give a day from today on"):
        sign_pack(pack, key, day, unix_s=SIGNED_S)
    assert not (pack / SIGNATURE_NAME).exists()


def test_a_damaged_pack_is_not_signed(pack, key):
    with (pack / "imagery.mbtiles").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match=r"imagery\.mbtiles"):
        sign_pack(pack, key, unix_s=SIGNED_S)
    assert read_signature(pack) is None


def test_a_clock_that_was_never_set_signs_nothing(pack, key):
    with pytest.raises(InputError, match="clock was never set"):
        sign_pack(pack, key, unix_s=1_000_000.0)


def test_a_folder_that_cannot_be_written(tmp_path):
    if os.geteuid() == 0:
        (tmp_path / "keys").write_text("a file in the way")
    else:
        (tmp_path / "keys").mkdir(mode=0o500)
    with pytest.raises(InputError, match="keys"):
        make_key(tmp_path / "keys")
