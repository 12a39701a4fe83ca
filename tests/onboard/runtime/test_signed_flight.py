"""A flight with a public key refuses its map before anything else is opened."""

from pathlib import Path

import pytest

from maps.signing import read_private_key, sign_pack
from onboard.errors import InputError
from onboard.pack.pack_signature import SIGNATURE_NAME, read_signature
from onboard.pack.taken_map import FILE_NAME as TAKEN_MAP
from onboard.pack.taken_map import keep_taken
from onboard.runtime import open_flight as open_flight_module
from onboard.runtime.open_flight import open_flight, read_flight_settings
from tests.onboard.signed_pack import DAY_S, SIGNED_S, make_signed_pack


@pytest.fixture
def flight(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    make_signed_pack(tmp_path)
    (tmp_path / "cam.toml").write_text("width_px = 640\nheight_px = 480\nhorizontal_fov_deg = 80\n")
    path = tmp_path / "flight.toml"
    path.write_text(
        'map = "area.pack"\nmap_public_key = "keys/public.pem"\ncamera = "none.mp4"\n'
        'camera_file = "cam.toml"\n[link]\naddress = "udpout:127.0.0.1:9"\n'
    )
    return path


def reason(flight: Path) -> str:
    with pytest.raises(InputError) as refused:
        open_flight(read_flight_settings(flight))
    return str(refused.value)


def test_the_keys_path_counts_from_the_settings_file(flight):
    key = read_flight_settings(flight).map_public_key
    assert key is not None and key.samefile(flight.parent / "keys" / "public.pem")


def test_a_signed_map_leaves_the_next_mistake_to_be_told(flight):
    assert "none.mp4" in reason(flight)
    assert not (flight.parent / "home").exists()  # what did not fly was not accepted


def test_an_unsigned_or_altered_map_is_refused(flight):
    sig = flight.parent / "area.pack" / SIGNATURE_NAME
    sig.write_text(sig.read_text().replace('"serial": 1', '"serial": 2'))
    assert "altered or forged" in reason(flight)
    sig.unlink()
    assert "is not signed" in reason(flight)


def test_a_missing_key_is_told(flight):
    (flight.parent / "keys" / "public.pem").unlink()
    assert "public.pem: cannot be read" in reason(flight)


def test_a_damaged_list_of_accepted_maps_is_told(flight):
    folder = flight.parent / "home" / "pilotage"
    folder.mkdir(parents=True)
    (folder / "accepted_maps.json").write_text("{")
    assert "list of accepted maps is damaged" in reason(flight)


def test_an_expired_map_flies_on_only_where_this_boot_took_it(flight, monkeypatch):
    key = read_private_key(flight.parent / "keys" / "private.pem")
    sign_pack(flight.parent / "area.pack", key, "2026-11-20", unix_s=SIGNED_S)
    monkeypatch.setattr(open_flight_module, "stamp_folder", lambda: flight.parent)
    monkeypatch.setattr("time.time", lambda: SIGNED_S + 10 * DAY_S)
    assert "expired on 2026-11-20" in reason(flight)
    signature = read_signature(flight.parent / "area.pack")
    assert signature is not None
    keep_taken(flight.parent / TAKEN_MAP, signature)
    assert "none.mp4" in reason(flight)
