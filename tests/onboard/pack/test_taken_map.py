"""Expiry is for the take-off: a companion that starts anew in the air keeps its map."""

import json
from dataclasses import replace

import pytest

from maps.signing import read_private_key, sign_pack
from onboard.errors import InputError
from onboard.pack import taken_map
from onboard.pack.found_pack import find_pack, take
from tests.onboard.signed_pack import DAY_S, SIGNED_S, make_signed_pack

AFTER_S = SIGNED_S + 10 * DAY_S


@pytest.fixture
def signed(tmp_path):
    """Expires on the second day after it was signed."""
    pack, trust = make_signed_pack(tmp_path, expires="2026-11-20")
    return pack, replace(trust, taken=tmp_path / "taken_map.json")


def start(signed, unix_s):
    pack, trust = signed
    found = find_pack(pack, trust, unix_s)
    take(found, trust)
    return found.said


@pytest.mark.parametrize("later_s", [AFTER_S, SIGNED_S + 4000 * DAY_S, 1e15])
def test_a_restart_after_the_last_day_flies_on_and_says_so(signed, later_s):
    assert "flown on" not in start(signed, SIGNED_S)
    for _ in range(3):
        said = start(signed, later_s)
        assert "it expired on 2026-11-20, today is " in said
        assert said.endswith("flown on with, as it was taken since this machine was started")


def sign_again(folder, pack, **options):
    sign_pack(pack, read_private_key(folder / "keys" / "private.pem"), unix_s=SIGNED_S, **options)


def refused(signed):
    with pytest.raises(InputError, match="expired on 2026-11-20"):
        start(signed, AFTER_S)


def test_what_only_another_boot_took_is_refused(signed, monkeypatch):
    start(signed, SIGNED_S)
    for boot in ("another", ""):
        monkeypatch.setattr(taken_map, "boot_id", lambda boot=boot: boot)
        refused(signed)


def test_without_a_boot_id_nothing_counts(signed, monkeypatch):
    monkeypatch.setattr(taken_map, "boot_id", lambda: "")
    start(signed, SIGNED_S)
    refused(signed)


def test_without_a_record_or_a_place_for_one_it_is_refused(signed):
    refused(signed)
    pack, trust = signed
    nowhere = pack, replace(trust, taken=None)
    start(nowhere, SIGNED_S)
    refused(nowhere)
    no_folder = pack, replace(trust, taken=trust.taken / "none")
    start(no_folder, SIGNED_S)
    refused(no_folder)


def test_what_was_found_but_never_taken_is_refused(signed):
    find_pack(*signed, SIGNED_S)
    refused(signed)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "\0", "[" * 100_000])
def test_a_damaged_record_is_none(signed, text):
    start(signed, SIGNED_S)
    signed[1].taken.write_text(text)
    refused(signed)


def test_another_signature_is_another_map(signed, tmp_path):
    start(signed, SIGNED_S)
    sign_again(tmp_path, signed[0], expires="2026-11-20")
    refused(signed)


def test_an_older_map_stays_refused_though_this_boot_took_it(signed, tmp_path):
    pack, trust = signed
    start(signed, SIGNED_S)
    sig, record = (pack / "manifest.sig").read_bytes(), trust.taken.read_bytes()
    sign_again(tmp_path, pack)
    start(signed, SIGNED_S)
    (pack / "manifest.sig").write_bytes(sig)
    trust.taken.write_bytes(record)  # even so
    with pytest.raises(InputError, match="has accepted serial"):
        start(signed, SIGNED_S)


def test_a_refused_map_is_not_kept_as_taken(signed):
    refused(signed)
    assert not signed[1].taken.exists()
    start(signed, SIGNED_S)
    assert set(json.loads(signed[1].taken.read_text())) == {"boot", "signature"}
