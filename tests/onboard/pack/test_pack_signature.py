"""Who vouches for a pack, and since when: everything that must not be flown is refused."""

import json
import subprocess

import pytest

from maps.signing import make_key, read_private_key, sign_pack
from onboard.errors import InputError
from onboard.pack.found_pack import MapTrust, find_pack, take, trust_of
from onboard.pack.pack_manifest import MANIFEST_NAME
from onboard.pack.pack_signature import (
    PREFIX,
    SIGNATURE_NAME,
    Signed,
    read_public_keys,
    read_signature,
)
from tests.onboard.signed_pack import DAY_S, SIGNED_S, make_signed_pack

SERIAL = int(SIGNED_S)


@pytest.fixture
def signed(tmp_path):
    return make_signed_pack(tmp_path, expires="2027-06-01")


def with_signed(pack, changes):
    """Alters what the signature says, not the signature."""
    table = json.loads((pack / SIGNATURE_NAME).read_text())
    table["signed"].update(changes)
    (pack / SIGNATURE_NAME).write_text(json.dumps(table, indent=1) + "\n")


def sign_again(folder, pack, **options):
    key = read_private_key(folder / "keys" / "private.pem")
    return sign_pack(pack, key, **{"unix_s": SIGNED_S, **options})


def test_a_signed_pack_is_found_and_says_so(signed):
    pack, trust = signed
    found = find_pack(pack, trust, SIGNED_S)
    said = f"signed by key {trust.keys[0].id} as 'area', serial {SERIAL}, until 2027-06-01"
    said += " (this machine's clock says 2026-11-18)"
    assert find_pack(pack, MapTrust(trust.keys), SIGNED_S).said == said  # a replay
    assert found.said == f"{said}; no map named 'area' was taken here before"
    assert found.trusted
    assert found.signature is not None and found.signature.signed.pack == "area"


def test_without_a_key_it_says_that_nothing_was_checked(signed, tmp_path):
    pack, _ = signed
    assert find_pack(pack, None).said.endswith("so it says; not checked (no public key given)")
    (pack / SIGNATURE_NAME).write_text("?")
    assert "damaged" in find_pack(pack, None).said
    (pack / SIGNATURE_NAME).unlink()
    assert find_pack(pack, None).said == "not signed, not checked (no public key given)"
    assert trust_of(None) is None


def test_an_unsigned_pack_is_refused(signed):
    pack, trust = signed
    (pack / SIGNATURE_NAME).unlink()
    with pytest.raises(InputError, match=r"is not signed.*pilotage map sign"):
        find_pack(pack, trust, SIGNED_S)


def test_another_key_is_refused_by_name_and_several_may_be_trusted(signed, tmp_path):
    pack, trust = signed
    _, public, other = make_key(tmp_path / "other.pem")
    with pytest.raises(InputError, match=f"signed by key {trust.keys[0].id}, trusted is {other}"):
        find_pack(pack, MapTrust(read_public_keys(public)), SIGNED_S)
    both = tmp_path / "both.pem"
    both.write_bytes(public.read_bytes() + (tmp_path / "keys" / "public.pem").read_bytes())
    keys = trust_of(both)
    assert keys is not None and [k.id for k in keys.keys] == [other, trust.keys[0].id]
    assert find_pack(pack, keys, SIGNED_S).trusted


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"serial": SERIAL + 1}, "altered or forged"),
        ({"expires": "2099-01-01"}, "altered or forged"),
        ({"expires": None}, "expires"),
        ({"pack": "are\u0430"}, "altered or forged"),
        ({"issued": "2027-01-01"}, "altered or forged"),
        ({"pack": "other"}, "altered or forged"),
        ({"manifest_sha256": "0" * 64}, "altered or forged"),
        ({"key_id": "0" * 16}, "signed by key 0000000000000000"),
        ({"serial": 0}, "serial is 0"),
        ({"serial": 1 << 53}, "serial is"),
        ({"serial": 1.5}, "serial: expected int"),
        ({"issued": "2026-11-31"}, "issued is"),
        ({"issued": "20261118"}, "issued is"),
        ({"more": 1}, "unknown key 'more'"),
        ({"pack": "a\u202eb"}, r"U\+202E"),
    ],
)
def test_every_altered_field_of_the_signature_is_refused(signed, change, sentence):
    pack, trust = signed
    with_signed(pack, change)
    with pytest.raises(InputError, match=sentence) as refused:
        find_pack(pack, trust, SIGNED_S)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "{" * 2000, '{"format":1,"format":1}', "\xff" * 9, " " * 5000]
)
def test_what_is_no_signature(signed, text):
    pack, trust = signed
    (pack / SIGNATURE_NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"manifest\.sig"):
        find_pack(pack, trust, SIGNED_S)


def test_a_changed_manifest_is_refused_before_it_is_parsed(signed):
    pack, trust = signed
    path = pack / MANIFEST_NAME
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"not the manifest that manifest\.sig vouches for"):
        find_pack(pack, trust, SIGNED_S)


def test_a_signature_of_another_pack_is_refused(signed, tmp_path):
    pack, trust = signed
    (tmp_path / "b").mkdir()
    other, _ = make_signed_pack(tmp_path / "b", seed=2)
    sign_again(tmp_path, other)
    (pack / SIGNATURE_NAME).write_bytes((other / SIGNATURE_NAME).read_bytes())
    with pytest.raises(InputError, match="the two are of different packs"):
        find_pack(pack, trust, SIGNED_S)


def test_an_older_pack_is_refused_after_a_newer_one(signed, tmp_path):
    pack, trust = signed
    old = (pack / SIGNATURE_NAME).read_bytes()
    sign_again(tmp_path, pack, serial=SERIAL + 5)
    take(find_pack(pack, trust, SIGNED_S), trust)
    (pack / SIGNATURE_NAME).write_bytes(old)
    with pytest.raises(InputError, match=f"has accepted serial {SERIAL + 5} of 'area'"):
        find_pack(pack, trust, SIGNED_S)
    find_pack(pack, MapTrust(trust.keys), SIGNED_S)  # a replay has no such list


def test_it_says_what_was_taken_here_before(signed, tmp_path):
    pack, trust = signed
    take(find_pack(pack, trust, SIGNED_S), trust)
    assert find_pack(pack, trust, SIGNED_S).said.endswith("clock says 2026-11-18)")
    sign_again(tmp_path, pack, serial=SERIAL + 5)
    said = find_pack(pack, trust, SIGNED_S).said
    assert said.endswith(
        f"serial {SERIAL + 5}, without end; newer than serial {SERIAL} taken before"
    )


def test_two_packs_of_one_serial_are_not_both_taken(signed, tmp_path):
    pack, trust = signed
    take(find_pack(pack, trust, SIGNED_S), trust)
    take(find_pack(pack, trust, SIGNED_S), trust)
    path = pack / MANIFEST_NAME
    path.write_bytes(path.read_bytes() + b"\n")
    (pack / SIGNATURE_NAME).unlink()
    sign_again(tmp_path, pack, serial=SERIAL)
    with pytest.raises(InputError, match="given to two different packs"):
        find_pack(pack, trust, SIGNED_S)


def test_expiry_counts_the_last_day_and_no_more(signed):
    pack, trust = signed
    last_s = 1_811_894_399.0  # 2027-06-01T23:59:59Z
    find_pack(pack, trust, last_s)
    with pytest.raises(InputError, match="expired on 2027-06-01, today is 2027-06-02 by this mach"):
        find_pack(pack, trust, last_s + 1)
    with pytest.raises(InputError, match="expired"):
        find_pack(pack, trust, 1e15)


def test_a_clock_set_back_does_not_make_an_expired_map_live_again(tmp_path):
    pack, trust = make_signed_pack(tmp_path, expires="2026-12-31")
    found = find_pack(pack, trust, 0.0)  # a clock that was never set: 1970
    assert "this machine's clock says 1970-01-01" in found.said
    (tmp_path / "b").mkdir()
    other, _ = make_signed_pack(tmp_path / "b", seed=2)
    manifest = json.loads((other / MANIFEST_NAME).read_text())
    (other / MANIFEST_NAME).write_text(json.dumps({**manifest, "name": "elsewhere"}))
    sign_again(tmp_path, other, unix_s=SIGNED_S + 60 * DAY_S)
    take(find_pack(other, trust, 0.0), trust)
    with pytest.raises(InputError, match=r"today is 2027-01-17 by the list .*'certain_day' in it"):
        find_pack(pack, trust, 0.0)


def test_openssl_agrees(signed, tmp_path):
    """Another implementation of RFC 8032 verifies the same bytes with the same files."""
    pack, _ = signed
    found = read_signature(pack)
    assert found is not None and found.signed.message().startswith(PREFIX)
    (tmp_path / "message").write_bytes(found.signed.message())
    (tmp_path / "signature").write_bytes(bytes.fromhex(found.signature))
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "keys/public.pem", "-rawin"]
    try:
        done = subprocess.run(
            [*command, "-in", "message", "-sigfile", "signature"], cwd=tmp_path, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("needs openssl (apt install openssl)")
    assert done.returncode == 0, done.stderr


def test_the_message_is_what_the_documentation_says():
    signed = Signed("b\u00fcro", "0" * 64, 7, "2026-11-18", "a" * 16)
    assert signed.message() == (
        b'pilotage map signature v1\n{"issued":"2026-11-18","key_id":"aaaaaaaaaaaaaaaa",'
        b'"manifest_sha256":"' + b"0" * 64 + b'","pack":"b\\u00fcro","serial":7}'
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no public key"),
        ("-----BEGIN PUBLIC KEY-----\nxx\n-----END PUBLIC KEY-----\n", "damaged public key"),
        ("-----BEGIN PRIVATE KEY-----\n", "is a private key"),
    ],
)
def test_what_is_no_public_key(tmp_path, text, sentence):
    (tmp_path / "k.pem").write_text(text)
    with pytest.raises(InputError, match=sentence):
        trust_of(tmp_path / "k.pem")
    with pytest.raises(InputError, match="cannot be read"):
        trust_of(tmp_path / "none.pem")
