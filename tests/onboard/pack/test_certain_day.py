"""No clock, here or where maps are signed, makes a map live for ever or ends all others."""

import json

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


def test_days_of_all_clocks():
    assert utc_day(0.0) == "1970-01-01" and utc_day(SIGNED_S) == "2026-11-18"
    assert utc_day(1e18) == "9999-12-31"
