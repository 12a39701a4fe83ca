"""No clock, here or where maps are signed, makes a map live for ever or ends all others."""

import json
from dataclasses import replace

import pytest

from maps.signing import read_private_key, sign_pack
from onboard.errors import InputError
from onboard.pack.accepted_maps import read_accepted
from onboard.pack.found_pack import find_pack, take
from onboard.pack.pack_manifest import MANIFEST_NAME
from onboard.system_clock import utc_day
from tests.onboard.signed_pack import DAY_S, SIGNED_S, make_signed_pack

YEAR_S = 365 * DAY_S


@pytest.fixture
def signed(tmp_path):
    return make_signed_pack(tmp_path, expires="2026-12-31")


@pytest.fixture
def elsewhere(tmp_path):
    """Of another name, signed by a workstation whose clock is 20 years ahead."""
    (tmp_path / "b").mkdir()
    pack, _ = make_signed_pack(tmp_path / "b", seed=2)
    manifest = json.loads((pack / MANIFEST_NAME).read_text())
    (pack / MANIFEST_NAME).write_text(json.dumps({**manifest, "name": "elsewhere"}))
    sign_pack(pack, key(tmp_path), unix_s=SIGNED_S + 20 * YEAR_S)
    return pack


def key(folder):
    return read_private_key(folder / "keys" / "private.pem")


def start(pack, trust, unix_s):
    found = find_pack(pack, trust, unix_s)
    take(found, trust)
    return found.said


def test_a_signature_from_the_future_ends_no_other_map(signed, elsewhere):
    pack, trust = signed
    for _ in range(2):
        start(elsewhere, trust, SIGNED_S)
        assert read_accepted(trust.accepted).certain_day == "2026-11-18"
        start(pack, trust, SIGNED_S)
    assert {m.issued for m in read_accepted(trust.accepted).maps} == {"2026-11-18", "2046-11-13"}


def test_the_sentence_names_the_file_where_the_day_stands_and_its_remedy_helps(signed, elsewhere):
    """A clock that was never set has nothing to hold against a signature."""
    pack, trust = signed
    start(elsewhere, trust, 0.0)
    with pytest.raises(InputError, match=r"today is 2046-11-13 by the list .*accepted_maps\.json"):
        start(pack, trust, SIGNED_S)
    table = json.loads(trust.accepted.read_text())
    trust.accepted.write_text(json.dumps({**table, "certain_day": "2026-11-18"}))
    start(pack, trust, SIGNED_S)


def test_a_map_that_was_signed_after_its_own_end_is_refused(signed, tmp_path):
    pack, trust = signed
    sign_pack(pack, key(tmp_path), "2046-12-31", unix_s=SIGNED_S + 20 * YEAR_S)
    start(pack, trust, SIGNED_S)
    with pytest.raises(InputError, match="expired on 2046-12-31, today is 2047-01-01 by this mach"):
        start(pack, trust, SIGNED_S + 20 * YEAR_S + 49 * DAY_S)


def test_a_day_on_which_a_map_was_flown_does_not_come_back(signed, tmp_path):
    """Neither with a clock that starts where it was shut down, nor with one that starts in 1970."""
    pack, trust = signed
    start(pack, trust, SIGNED_S + 30 * DAY_S)
    assert read_accepted(trust.accepted).certain_day == "2026-12-18"
    for unix_s, clock in ((SIGNED_S, "2026-11-18"), (0.0, "1970-01-01")):
        said = start(pack, trust, unix_s)
        assert "; expiry not judged by a sound clock: this machine's clock says" in said
        assert f" {clock}, the list " in said
        assert "accepted_maps.json 2026-12-18; set what is wrong" in said
        assert read_accepted(trust.accepted).certain_day == "2026-12-18"
    sign_pack(pack, key(tmp_path), "2026-12-17", unix_s=SIGNED_S)
    with pytest.raises(InputError, match="expired on 2026-12-17, today is 2026-12-18 by the list"):
        start(pack, trust, SIGNED_S)


def test_a_sound_clock_is_not_doubted(signed):
    pack, trust = signed
    for unix_s in (SIGNED_S, SIGNED_S, SIGNED_S + 43 * DAY_S):
        said = start(pack, trust, unix_s)
        assert "sound clock" not in said and "until 2026-12-31 (this machine's clock says " in said


def test_the_day_of_this_software_has_come(signed, monkeypatch):
    """A pack that was signed before it, found where no list is."""
    pack, trust = signed
    monkeypatch.setattr("onboard.pack.certain_day.SOFTWARE_DAY", "2026-12-31")
    assert " clock says 1970-01-01, this software 2026-12-31;" in start(pack, trust, 0.0)
    monkeypatch.setattr("onboard.pack.certain_day.SOFTWARE_DAY", "2027-01-01")
    with pytest.raises(InputError, match=r"is 2027-01-01 by this software; sign it again \([^,]*$"):
        find_pack(pack, trust, SIGNED_S)


def test_a_clock_that_runs_ahead_counts_no_further_than_the_maps_own_end(signed, tmp_path):
    pack, trust = signed
    with pytest.raises(InputError, match="expired"):
        start(pack, trust, SIGNED_S + 20 * YEAR_S)
    assert not trust.accepted.exists()
    sign_pack(pack, key(tmp_path), None, unix_s=SIGNED_S)  # without end
    start(pack, trust, SIGNED_S + 20 * YEAR_S)
    assert read_accepted(trust.accepted).certain_day == "2026-11-18"


def test_a_map_flown_on_with_after_its_end_moves_no_day(signed, tmp_path):
    pack, trust = signed
    trust = replace(trust, taken=tmp_path / "taken_map.json")
    start(pack, trust, SIGNED_S)
    start(pack, trust, SIGNED_S + 20 * YEAR_S)
    assert read_accepted(trust.accepted).certain_day == "2026-11-18"


def test_days_of_all_clocks():
    assert utc_day(0.0) == "1970-01-01" and utc_day(SIGNED_S) == "2026-11-18"
    assert utc_day(1e18) == "9999-12-31"
