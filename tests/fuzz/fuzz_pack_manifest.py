"""Any bytes as a pack's manifest, its signature, the list of accepted maps: one error sentence, or
a record whose values a pack can have.

An input's first byte chooses which.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from fuzz_runner import fuzz

from maps.signing import make_key
from onboard.errors import InputError
from onboard.pack.accepted_maps import accept, read_accepted
from onboard.pack.found_pack import MapTrust, find_pack
from onboard.pack.pack_hashes import check_files
from onboard.pack.pack_manifest import MANIFEST_NAME, manifest_text, read_manifest
from onboard.pack.pack_signature import SIGNATURE_NAME, read_public_keys, read_signature
from onboard.pack.plain_text import is_plain
from tests.onboard.signed_pack import SIGNED_S, make_signed_pack

FOLDER = Path(tempfile.mkdtemp())
PACK, TRUST = make_signed_pack(FOLDER, "2027-06-01")
MANIFEST, SIGNATURE = (PACK / MANIFEST_NAME).read_bytes(), (PACK / SIGNATURE_NAME).read_bytes()
_, PUBLIC, _ = make_key(FOLDER / "k.pem")
ACCEPTED = FOLDER / "accepted.json"
accept(ACCEPTED, PACK, read_signature(PACK).signed)  # type: ignore[union-attr]
LIST = ACCEPTED.read_bytes()
TERRAIN = b',"terrain":{"name":"a","date":"b","licence":"c","attribution":"d","datum":"EGM96",'
TOKENS = (
    *(b'"files":', b'"shards":', b'"levels":[', b'"path":"../', b'"path":"/etc/', b'"count":-1'),
    *(b'"size":1e999', b"NaN", b"Infinity", b"null", b"\\u202e", b"\\ud800", b"\\u0000", b"\xef"),
    *(b'"level":31', b"99999999999999999999", b'"cell_col":', b'"sha256":"', b"manifest.json"),
    *(
        TERRAIN + b'"level":9,"sigma_m":1.0}',
        b'"sigma_m":',
        b'"serial":',
        b'"expires":"9999-12-31"',
        b"[" * 99,
    ),
)


def target(data: bytes) -> None:
    kind, rest = (data[0] % 4 if data else 0), data[1:]
    (PACK / MANIFEST_NAME).write_bytes(rest if kind in (0, 1) else MANIFEST)
    (PACK / SIGNATURE_NAME).write_bytes(rest if kind == 2 else SIGNATURE)
    try:
        if kind == 0:
            manifest = read_manifest(PACK)
            again = manifest_text(manifest)
            (PACK / MANIFEST_NAME).write_text(again, encoding="utf-8")
            assert read_manifest(PACK) == manifest
            check_files(PACK, manifest)
        elif kind == 1:
            # No byte of the manifest differs unseen.
            find_pack(PACK, TRUST, SIGNED_S)
            assert rest == MANIFEST
        elif kind == 2:
            found = read_signature(PACK)
            assert found is not None and found.signed.message()
            find_pack(PACK, TRUST, SIGNED_S)
            assert found == _SOUND  # spaces may differ, nothing that was signed may
        else:
            ACCEPTED.write_bytes(rest)
            read_accepted(ACCEPTED)
            find_pack(PACK, MapTrust(TRUST.keys, ACCEPTED), SIGNED_S)
    except InputError as e:
        assert all(map(is_plain, str(e))) and len(str(e)) < 30_000, str(e)[:500]


_SOUND = read_signature(PACK)
assert read_public_keys(PUBLIC)

if __name__ == "__main__":
    samples = [b"\0" + MANIFEST, b"\1" + MANIFEST, b"\2" + SIGNATURE, b"\3" + LIST]
    samples.append(b"\0" + MANIFEST.rstrip()[:-1] + TERRAIN + b'"level":9,"sigma_m":1.0}}')
    sys.exit(fuzz(target, samples, TOKENS))
