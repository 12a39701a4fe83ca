"""Every file of a pack, every field of its manifest, every kind of byte: refused, the reason named.

pytest tests/onboard/test_tampered_packs.py -s      prints the table
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from onboard.errors import InputError
from onboard.pack.found_pack import MapTrust, find_pack
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import MANIFEST_NAME, read_manifest
from onboard.pack.pack_signature import SIGNATURE_NAME
from tests.onboard.signed_pack import SIGNED_S, make_signed_pack

Damage = Callable[[Path, Path], None]  # the file, the same file of another pack


def flipped(at: float, bit: int) -> Damage:
    def damage(path: Path, other: Path) -> None:
        data = bytearray(path.read_bytes())
        data[round(at * (len(data) - 1))] ^= 1 << bit
        path.write_bytes(data)

    return damage


def replaced_by(make: Callable[[Path, Path], None]) -> Damage:
    def damage(path: Path, other: Path) -> None:
        path.unlink()
        make(path, other)

    return damage


DAMAGES: dict[str, Damage] = {
    **{
        f"{where} byte, bit {bit}": flipped(at, bit)
        for where, at in (("first", 0.0), ("middle", 0.5), ("last", 1.0))
        for bit in (0, 7)
    },
    "last byte cut": lambda path, _: path.write_bytes(path.read_bytes()[:-1]),
    "cut in half": lambda path, _: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a byte more": lambda path, _: path.write_bytes(path.read_bytes() + b"\n"),
    "a megabyte more": lambda path, _: path.write_bytes(path.read_bytes() + bytes(1 << 20)),
    "emptied": lambda path, _: path.write_bytes(b""),
    "another pack's": lambda path, other: path.write_bytes(other.read_bytes()),
    "removed": lambda path, _: path.unlink(),
    "a link to itself elsewhere": replaced_by(lambda path, other: path.symlink_to(other)),
    "a folder": replaced_by(lambda path, _: path.mkdir()),
    "a pipe": replaced_by(lambda path, _: os.mkfifo(path)),
}
REASONS = (
    "the manifest says",
    "its sha256 is not the one",
    "cannot be read",
    "not the manifest that manifest.sig vouches for",
    "altered or forged",
    "is not signed",
    "no signature",
    "not a map pack",
    "manifest.sig: signature",
    "manifest.sig: signed",
    "manifest.sig: unknown key",
    "manifest.sig: format",
    "manifest.sig: key",
    "is not written as signatures are",
    "trusted is",
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> tuple[Path, MapTrust]:
    return make_signed_pack(tmp_path_factory.mktemp("sound"), "2027-06-01")


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Path:
    """Every file of it differs."""
    pack = make_signed_pack(tmp_path_factory.mktemp("other"), seed=2)[0]
    imagery = pack / "imagery.mbtiles"
    imagery.write_bytes(imagery.read_bytes().replace(b"tile_data", b"tile_dada"))
    return pack


@pytest.fixture
def pack(sound, tmp_path) -> Path:
    return Path(shutil.copytree(sound[0], tmp_path / "area.pack"))


def opens(path: Path, trust: MapTrust | None) -> None:
    """As a flight does."""
    found = find_pack(path, trust, SIGNED_S)
    MapPack.of_manifest(found.path, found.manifest).index.check()


def reason_of(path: Path, trust: MapTrust | None, what: str) -> str:
    with pytest.raises(InputError) as refused:
        opens(path, trust)
        pytest.fail(f"{what} was taken")
    said = str(refused.value)
    assert "\n" not in said and said.startswith(str(path)), said
    reason = next((r for r in REASONS if r in said), "")
    assert reason, f"{what}: {said}"
    return reason


def files_of(pack: Path) -> list[str]:
    return [MANIFEST_NAME, SIGNATURE_NAME, *(f.path for f in read_manifest(pack).files)]


def test_a_sound_pack_opens(pack, sound):
    opens(pack, sound[1])
    opens(pack, None)


def test_every_file_and_every_kind_of_byte(sound, other, tmp_path):
    table = Counter()
    for name in files_of(sound[0]):
        for what, damage in DAMAGES.items():
            here = tmp_path / "a.pack"
            shutil.copytree(sound[0], here)
            before = (here / name).read_bytes()
            damage(here / name, other / name)
            path = here / name
            assert not path.is_file() or path.is_symlink() or path.read_bytes() != before
            table[name, reason_of(here, sound[1], f"{name}: {what}")] += 1
            shutil.rmtree(here)
    for (name, reason), count in sorted(table.items()):
        print(f"{name:<44} {reason:<48} {count}")
    assert sum(table.values()) == len(files_of(sound[0])) * len(DAMAGES)


def test_without_a_key_too_no_damaged_file_of_the_manifest_is_parsed(sound, other, tmp_path):
    for file in read_manifest(sound[0]).files:
        for what, damage in DAMAGES.items():
            here = tmp_path / "a.pack"
            shutil.copytree(sound[0], here)
            damage(here / file.path, other / file.path)
            reason_of(here, None, f"{file.path}: {what}")
            shutil.rmtree(here)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from leaves(value[i], (*path, i))
    else:
        yield path


def holder(table: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        table = table[key]
    return table


def changed(value: Any) -> Any:
    if isinstance(value, str):
        return value[:-1] + ("0" if not value.endswith("0") else "1")
    return value + 1


@pytest.mark.parametrize("name", [MANIFEST_NAME, SIGNATURE_NAME])
def test_every_field_changed_removed_or_added(pack, sound, name):
    path = pack / name
    whole = path.read_text()
    fields = list(leaves(json.loads(whole)))
    assert len(fields) > (30 if name == MANIFEST_NAME else 7)
    table = Counter()
    for field in fields:
        for what in ("changed", "removed", "null", "of another kind"):
            held = json.loads(whole)
            inside, key = holder(held, field), field[-1]
            if what == "changed":
                inside[key] = changed(inside[key])
            elif what == "removed":
                del inside[key]
            else:
                inside[key] = None if what == "null" else {"a": [inside[key]]}
            path.write_text(json.dumps(held, indent=1) + "\n")
            table[reason_of(pack, sound[1], f"{name} {field} {what}")] += 1
    held = json.loads(whole)
    held["more"] = 1
    path.write_text(json.dumps(held, indent=1) + "\n")
    table[reason_of(pack, sound[1], "a field more")] += 1
    for reason, count in sorted(table.items()):
        print(f"{name + ': ' + str(len(fields)) + ' fields':<44} {reason:<48} {count}")


def test_a_wider_pack_is_no_pack_of_these_files(sound, other, tmp_path):
    """Files of two packs together, each of them whole."""
    for name in files_of(sound[0])[2:]:
        here = tmp_path / "a.pack"
        shutil.copytree(sound[0], here)
        shutil.copy(other / name, here / name)
        if (here / name).read_bytes() != (sound[0] / name).read_bytes():
            reason_of(here, sound[1], name)
        shutil.rmtree(here)


def test_a_folder_of_the_pack_that_is_a_link(pack, sound, tmp_path):
    (pack / "index").rename(tmp_path / "elsewhere")
    (pack / "index").symlink_to(tmp_path / "elsewhere")
    assert reason_of(pack, sound[1], "a linked folder") == "cannot be read"


def test_what_lies_beside_the_files_is_not_looked_at(pack, sound):
    for name in ("imagery.mbtiles-wal", "imagery.mbtiles-journal", "imagery.mbtiles-shm"):
        (pack / name).write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" * 64)
    (pack / "notes.txt").write_text("mine")
    opens(pack, sound[1])
    assert sorted(p.name for p in pack.iterdir()) == [
        *("imagery.mbtiles", "imagery.mbtiles-journal", "imagery.mbtiles-shm"),
        *("imagery.mbtiles-wal", "index", "manifest.json", "manifest.sig", "notes.txt"),
    ]
