"""`manifest.json` of a map pack: what is in it, made from what, for which model."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onboard.errors import InputError
from onboard.pack.map_error import check_map_sigma, map_error_said, map_sigma_m
from onboard.pack.ordinary_file import open_within
from onboard.pack.pack_rules import (
    FINEST_LEVEL,
    MOST_FILE_BYTES,
    MOST_NUMBERS,
    check_ascending,
    check_path,
    check_paths_differ,
    check_range,
    check_sha256,
)
from onboard.pack.plain_text import check_plain
from onboard.pack.strict_json import parse_strictly
from onboard.pack.tile_index import CELL_STEPS, RECALL_GOAL, IndexParameters
from onboard.settings import settings_from_table

FORMAT_VERSION = 2
MANIFEST_NAME = "manifest.json"
IMAGERY_NAME = "imagery.mbtiles"
TERRAIN_NAME = "terrain.mbtiles"
UNKNOWN = "unknown"  # of a date, a licence, an attribution
MOST_MANIFEST_BYTES = 16 << 20  # 25,000 shards; parsed, it takes some 20 times as much
MOST_NAME_CHARS = 200


@dataclass(frozen=True)
class PackModel:
    """The network that described the tiles; sha256 is that of its model.onnx."""

    id: str
    sha256: str
    descriptor_dim: int

    def __post_init__(self) -> None:
        check_plain("id", self.id, MOST_NAME_CHARS)
        check_sha256("sha256", self.sha256)
        check_range("descriptor_dim", self.descriptor_dim, 1, MOST_NUMBERS)


@dataclass(frozen=True)
class Bounds:
    """WGS84 degrees."""

    south: float
    west: float
    north: float
    east: float

    def __post_init__(self) -> None:
        check_range("south", self.south, -90.0, 90.0)
        check_range("north", self.north, self.south, 90.0)
        check_range("west", self.west, -180.0, 180.0)
        check_range("east", self.east, self.west, 180.0)


@dataclass(frozen=True)
class ImagerySource:
    """One input of the build. date is ISO 8601 or 'unknown'. sigma_m: how far it is off, 1 sigma
    per axis, None where nobody said; see `map_error`."""

    name: str
    date: str
    licence: str
    attribution: str
    sigma_m: float | None = None

    def __post_init__(self) -> None:
        _check_texts(self.name, self.date, self.licence, self.attribution)
        if self.sigma_m is not None:
            check_map_sigma("sigma_m", self.sigma_m)


@dataclass(frozen=True)
class TerrainSource:
    """The elevation model in `terrain.mbtiles`, whose tiles are of one level and hold heights
    above mean sea level as autopilots count it (EGM96). datum: the input's own vertical datum;
    sigma_m: error of a height, 1 sigma, as the input's maker or the person says."""

    name: str
    date: str
    licence: str
    attribution: str
    datum: str
    level: int
    sigma_m: float

    def __post_init__(self) -> None:
        _check_texts(self.name, self.date, self.licence, self.attribution, self.datum)
        check_range("level", self.level, 0, FINEST_LEVEL)
        check_range("sigma_m", self.sigma_m, 0.0, 10_000.0)


@dataclass(frozen=True)
class Shard:
    """The tiles (col, row) of one level and area cell: col // CELL_STEPS is cell_col, and so with
    the rows. Paths are relative to the pack; graph: None for a shard too small to gain by one, or
    whose graph missed too much. recall and graph_recall: the share of the RECALL_NEAREST nearest
    tiles that the codes' shortlist, and the graph's, held for the shard's own sample; graph_recall
    None: no graph was tried."""

    level: int
    cell_col: int
    cell_row: int
    count: int
    codes: str
    descriptors: str
    recall: float
    graph: str | None = None
    graph_recall: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.count <= CELL_STEPS**2:
            raise ValueError(f"a shard of {self.count} tiles; {CELL_STEPS**2} can be in one")
        for share in (self.recall, self.graph_recall):
            if share is not None and not 0.0 <= share <= 1.0:
                raise ValueError(f"a recall of {share}; give a share, 0 to 1")

    @property
    def paths(self) -> tuple[str, ...]:
        """Its files."""
        return self.codes, self.descriptors, *((self.graph,) if self.graph else ())

    @property
    def exact(self) -> bool:
        """Whether its codes miss too much, so that it is searched by the full descriptors."""
        return self.recall < RECALL_GOAL


@dataclass(frozen=True)
class PackFile:
    """A file of the pack, its size in bytes and its hash."""

    path: str
    size: int
    sha256: str

    def __post_init__(self) -> None:
        check_path(self.path)
        check_range("size", self.size, 0, MOST_FILE_BYTES)
        check_sha256("sha256", self.sha256)


@dataclass(frozen=True)
class Manifest:
    """The whole manifest. shards are sorted by level, then cell row, then cell column. name: by
    which later packs of the same ground are known. terrain: None where no DEM was given."""

    format_version: int
    name: str
    model: PackModel
    bounds: Bounds
    levels: tuple[int, ...]
    imagery: tuple[ImagerySource, ...]
    index: IndexParameters
    shards: tuple[Shard, ...]
    files: tuple[PackFile, ...]
    terrain: TerrainSource | None = None

    def __post_init__(self) -> None:
        named = {f.path for f in self.files}
        needed = {IMAGERY_NAME, *(p for s in self.shards for p in s.paths)}
        if self.terrain is not None:
            needed.add(TERRAIN_NAME)
        if needed - named:
            raise ValueError(f"files does not list {min(needed - named)}; build the pack again")
        check_plain("name", self.name, MOST_NAME_CHARS)
        check_paths_differ([f.path for f in self.files])
        if not self.levels or {s.level for s in self.shards} != set(self.levels):
            raise ValueError("levels and shards do not agree; build the pack again")
        check_ascending("levels", self.levels, "size")
        for level in self.levels:
            check_range("level", level, 0, FINEST_LEVEL)
        for shard in self.shards:
            check_range("cell_col", shard.cell_col, 0, (2 << shard.level) - 1)
            check_range("cell_row", shard.cell_row, 0, (2 << shard.level) - 1)
            check_range("count", shard.count, 1, self.size_bytes())
        cells = [(s.level, s.cell_row, s.cell_col) for s in self.shards]
        check_ascending("shards", cells, "level, cell row and cell column")

    def tile_count(self, level: int) -> int:
        return sum(s.count for s in self.shards if s.level == level)

    @property
    def map_sigma_m(self) -> float:
        """How far the map is off, 1 sigma per axis."""
        return map_sigma_m([s.sigma_m for s in self.imagery])

    @property
    def map_error_said(self) -> str:
        """The same for people."""
        return map_error_said([s.sigma_m for s in self.imagery])

    def credits(self) -> tuple[str, ...]:
        """Whom the imagery's and the terrain's licences ask to name, and which these are."""
        sources = (*self.imagery, *((self.terrain,) if self.terrain else ()))
        said = (f"{s.attribution or UNKNOWN} ({s.licence or UNKNOWN})" for s in sources)
        return tuple(c for c in dict.fromkeys(said) if c != f"{UNKNOWN} ({UNKNOWN})")

    def size_bytes(self) -> int:
        return sum(f.size for f in self.files)


def read_manifest(pack: Path) -> Manifest:
    """Raises InputError: no pack there, not JSON, of another format version, a wrong key, a
    value that no pack has."""
    return parse_manifest(manifest_bytes(pack), pack)


def manifest_bytes(pack: Path) -> bytes:
    """The file, to be hashed and then parsed. Raises InputError: no pack there, unreadable."""
    path = pack / MANIFEST_NAME
    try:
        with open_within(pack, MANIFEST_NAME) as file:
            return file.read(MOST_MANIFEST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as e:
        raise InputError(
            f"{pack}: not a map pack (no {MANIFEST_NAME} in it); make one with 'pilotage map build'"
        ) from e
    except OSError as e:
        raise InputError(
            f"{path}: cannot be read ({e.strerror}); copy or build the pack again"
        ) from e


def parse_manifest(data: bytes, pack: Path) -> Manifest:
    """Raises InputError as `read_manifest` does."""
    path = pack / MANIFEST_NAME
    try:
        table = parse_strictly(data, MOST_MANIFEST_BYTES)
    except ValueError as e:
        raise InputError(f"{path}: not valid JSON ({e}); copy or build the pack again") from e
    if not isinstance(table, dict):
        raise InputError(f"{path}: not a manifest; copy or build the pack again")
    version = table.get("format_version")
    if version != FORMAT_VERSION:
        said = version if isinstance(version, int) else type(version).__name__
        raise InputError(
            f"{path}: format_version is {said}, this Pilotage reads "
            f"{FORMAT_VERSION}; build the pack with the same Pilotage that flies it"
        )
    return settings_from_table(table, Manifest, str(path))


def manifest_text(manifest: Manifest) -> str:
    """The JSON that `read_manifest` reads."""
    table = without_nones(dataclasses.asdict(manifest))
    return json.dumps(table, indent=1, ensure_ascii=False) + "\n"


def without_nones(value: Any) -> Any:
    """Without the keys whose value is None: a missing key means the same."""
    if isinstance(value, dict):
        return {k: without_nones(v) for k, v in value.items() if v is not None}
    if isinstance(value, (list, tuple)):
        return [without_nones(v) for v in value]
    return value


def _check_texts(*texts: str) -> None:
    for text in texts:
        if text:
            check_plain("a text", text)
