"""`manifest.json` of a map pack: what is in it, made from what, for which model."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from onboard.errors import InputError
from onboard.settings import settings_from_table
from onboard.tile_index import IndexParameters

FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
IMAGERY_NAME = "imagery.mbtiles"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class PackModel:
    """The network that described the tiles; sha256 is that of its model.onnx."""

    id: str
    sha256: str
    descriptor_dim: int


@dataclass(frozen=True)
class Bounds:
    """WGS84 degrees."""

    south: float
    west: float
    north: float
    east: float


@dataclass(frozen=True)
class ImagerySource:
    """One input of the build. date is ISO 8601 or 'unknown'."""

    name: str
    date: str
    licence: str
    attribution: str


@dataclass(frozen=True)
class Shard:
    """The tiles of one level and area cell; paths are relative to the pack."""

    level: int
    count: int
    tiles: str
    graph: str


@dataclass(frozen=True)
class PackFile:
    """A file of the pack, its size in bytes and its hash."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The whole manifest. shards are sorted by level, then cell."""

    format_version: int
    model: PackModel
    bounds: Bounds
    levels: tuple[int, ...]
    imagery: tuple[ImagerySource, ...]
    index: IndexParameters
    shards: tuple[Shard, ...]
    files: tuple[PackFile, ...]

    def __post_init__(self) -> None:
        named = {f.path for f in self.files}
        needed = {IMAGERY_NAME, *(p for s in self.shards for p in (s.tiles, s.graph))}
        if needed - named:
            raise ValueError(f"files does not list {min(needed - named)}; build the pack again")
        for name in named:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError(f"file {name!r} leads out of the pack; do not use this pack")
        if not self.levels or {s.level for s in self.shards} != set(self.levels):
            raise ValueError("levels and shards do not agree; build the pack again")

    def tile_count(self, level: int) -> int:
        return sum(s.count for s in self.shards if s.level == level)

    def size_bytes(self) -> int:
        return sum(f.size for f in self.files)


def read_manifest(pack: Path) -> Manifest:
    """Raises InputError: no pack there, not JSON, of another format version, a wrong key."""
    path = pack / MANIFEST_NAME
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as e:
        raise InputError(
            f"{pack}: not a map pack (no {MANIFEST_NAME} in it); make one with 'pilotage map build'"
        ) from e
    except OSError as e:
        raise InputError(f"{path}: cannot be read ({e.strerror})") from e
    except ValueError as e:
        raise InputError(f"{path}: not valid JSON ({e}); copy or build the pack again") from e
    if not isinstance(table, dict):
        raise InputError(f"{path}: not a manifest; copy or build the pack again")
    if table.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: format_version is {table.get('format_version')!r}, this Pilotage reads "
            f"{FORMAT_VERSION}; build the pack with the same Pilotage that flies it"
        )
    return settings_from_table(table, Manifest, str(path))


def manifest_text(manifest: Manifest) -> str:
    """The JSON that `read_manifest` reads."""
    return json.dumps(dataclasses.asdict(manifest), indent=1, ensure_ascii=False) + "\n"


def describe_file(pack: Path, name: str) -> PackFile:
    """Size and hash of a file of the pack. Raises OSError."""
    digest, size = hashlib.sha256(), 0
    with (pack / name).open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return PackFile(name, size, digest.hexdigest())


def check_files(pack: Path, manifest: Manifest) -> None:
    """Compares every file with the manifest, before any parser touches it.

    Raises InputError naming the first file that is missing, cut short or changed.
    """
    for expected in manifest.files:
        path = pack / expected.path
        try:
            size = path.stat().st_size
            if size != expected.size:
                raise InputError(
                    f"{path}: is {size} bytes long, the manifest says {expected.size}; "
                    "the file was cut short or exchanged, copy or build the pack again"
                )
            if describe_file(pack, expected.path) != expected:
                raise InputError(
                    f"{path}: its sha256 is not the one in the manifest; "
                    "the file is damaged or was exchanged, copy or build the pack again"
                )
        except OSError as e:
            raise InputError(
                f"{path}: cannot be read ({e.strerror}); copy or build the pack again"
            ) from e
